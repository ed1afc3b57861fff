from django.contrib.auth.views import LoginView
from django.urls import path

from shop import views

urlpatterns = [
    path("", views.index, name="index"),
    path("login", LoginView.as_view(template_name="login.html"), name="login"),
]
