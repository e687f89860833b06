"""The upload page."""

from django.urls import path

from uploads import views

urlpatterns = [path("", views.index, name="index")]
