"""A Django project in one file. Its port is a literal, and its reloader starts the file again."""

import pathlib
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"], DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="only-for-this-test"
)


def index(request):
    text = pathlib.Path(__file__).with_name("identity.txt").read_text()
    return HttpResponse(text, content_type="text/plain")


urlpatterns = [path("", index)]

if __name__ == "__main__":
    django.setup()
    call_command("runserver", f"{sys.argv[1] if len(sys.argv) > 1 else '0.0.0.0'}:8000")
