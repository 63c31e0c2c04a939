"""A small site in Django, asked in process: middleware, forms, the ORM on SQLite in memory, templates."""

import django
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

REQUESTS = 4_500
PAGE = """<title>{{ title }}</title>{% for entry in entries %}<h2>{{ entry.title|upper }}</h2>
{{ entry.text|linebreaks }}<p>{{ entry.stars|pluralize }}</p>{% empty %}none{% endfor %}"""

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests only",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    USE_TZ=True,
)
django.setup()

from django.db import connection, models  # noqa: E402 (models need the settings)
from django.template import engines  # noqa: E402
from django.test import Client  # noqa: E402


class Entry(models.Model):
    title = models.CharField(max_length=60)
    text = models.TextField()
    stars = models.IntegerField(default=0)

    class Meta:
        app_label = "site"


class EntryForm(forms.Form):
    title = forms.CharField(max_length=60)
    text = forms.CharField()
    stars = forms.IntegerField(min_value=0, max_value=5)


page = engines["django"].from_string(PAGE)


def entries(request: HttpRequest) -> HttpResponse:
    request.session["seen"] = request.session.get("seen", 0) + 1
    best = Entry.objects.filter(stars__gte=2).order_by("-stars", "title")[:10]
    return HttpResponse(page.render({"title": "Entries", "entries": best}, request))


def entry(request: HttpRequest, number: int) -> JsonResponse:
    found = Entry.objects.filter(pk=number).values("title", "stars").first()
    return JsonResponse(found or {"error": "no such entry"}, status=200 if found else 404)


def add(request: HttpRequest) -> JsonResponse:
    form = EntryForm(request.POST)
    if not form.is_valid():
        return JsonResponse(form.errors, status=400)
    return JsonResponse({"id": Entry.objects.create(**form.cleaned_data).pk})


urlpatterns = [path("", entries), path("entry/<int:number>/", entry), path("add/", add)]


def main() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Entry)
    client = Client()
    size = 0
    for number in range(REQUESTS // 3):
        form = {"title": f"entry {number % 90}", "text": "one\n\ntwo", "stars": number % 7}
        size += len(client.post("/add/", form).content)
        size += len(client.get(f"/entry/{number}/").content)
        size += len(client.get("/").content)
    print(REQUESTS, "requests,", Entry.objects.count(), "entries,", size, "bytes")


main()
