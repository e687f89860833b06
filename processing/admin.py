"""What the admin shows of processing."""

from processing.admin_jobs import JobAdmin
from processing.admin_machinery import ApiTokenAdmin, WorkerAdmin

__all__ = ["ApiTokenAdmin", "JobAdmin", "WorkerAdmin"]
