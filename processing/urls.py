"""The pages of jobs."""

from django.urls import path

from processing import pages

urlpatterns = [
    path("jobs/", pages.job_list, name="jobs"),
    path("jobs/<uuid:job_id>/", pages.job, name="job"),
]
