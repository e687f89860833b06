"""The admin site."""

from django.contrib import admin


class HeadraceAdminSite(admin.AdminSite):
    """Django's admin under our name."""

    site_header = site_title = "Headrace"
