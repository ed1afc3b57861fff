from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse


@login_required
def index(request):
    text = (settings.BASE_DIR / "identity.txt").read_text()
    return HttpResponse(f"{request.user} at {request.build_absolute_uri()}: {text}", content_type="text/plain")
