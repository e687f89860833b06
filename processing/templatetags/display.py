"""processing.display for templates."""

import re
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.timezone import localtime

from processing import display
from processing.errors import UnknownProcessor
from processing.lifecycle import JobState
from processing.models import Job
from processing.registry import registry

register = template.Library()

WORDS = {JobState.FAILED: "Processing failed"}
"""Where a page's words are others than the admin's: there the upload has a list of its own."""

register.filter("safe_name", display.name)
register.filter("visible", display.visible)
register.filter("bytes", display.size)


@register.filter
def state_word(job: Job) -> str:
    """The state in the words of the pages."""
    return WORDS.get(JobState(job.state), display.job_state(job).word)


@register.filter
def tone(job: Job) -> str:
    """The colour of the state's pill."""
    return display.job_state(job).kind


@register.filter
def kind(job: Job) -> str:
    """What stands in the place of a thumbnail: the ending of the name, else FILE. static/js/page/format.js agrees."""
    ending = re.search(r"\.([A-Za-z0-9]{1,8})$", job.name)
    return ending[1][:4].upper() if ending else "FILE"


@register.filter
def processor_title(job: Job) -> str:
    """The processor as people know it."""
    try:
        return registry().get(job.processor).title
    except UnknownProcessor:  # one that this installation had once
        return job.processor


@register.filter
def short_reason(job: Job) -> str:
    """Why it failed, to stand in a line with other things."""
    return Truncator(display.visible(job.error_message)).chars(200).rstrip(".")


@register.filter
def size_and_time(job: Job) -> str:
    """105 KB · took 1 s."""
    parts = [display.size(job.input_size)] if job.input_size is not None else []
    if job.is_final and job.started_at and job.state != JobState.CANCELLED:
        parts.append(f"took {display.took(job)}")
    return " · ".join(parts)


@register.filter
def when(moment: datetime) -> str:
    """Today's times by the clock, others by the day."""
    local = localtime(moment)
    today = localtime(timezone.now()).date()
    return date_format(local, "H:i" if local.date() == today else "j M Y, H:i")
