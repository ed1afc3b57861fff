from django.conf import settings
from django.http import HttpResponse


def index(request):
    text = (settings.BASE_DIR / "identity.txt").read_text()
    return HttpResponse(text, content_type="text/plain")
