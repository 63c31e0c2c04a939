"""A test suite of a Django site, run by Django's own runner: settings overridden, functions patched, clients asked."""

import io
import sys
from unittest import mock

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

ROUNDS = 260

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests only",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    LANGUAGE_CODE="en",
    GREETING="Hello",
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 (models need the settings)
from django.core import mail  # noqa: E402
from django.template import engines  # noqa: E402
from django.test import TestCase, override_settings  # noqa: E402
from django.test.utils import get_runner  # noqa: E402
from django.utils import translation  # noqa: E402


def rate(currency: str) -> float:
    raise OSError(f"no network to ask for {currency}")


def price(request: HttpRequest, amount: int) -> JsonResponse:
    return JsonResponse({"price": amount * rate(request.GET.get("currency", "EUR"))})


def greet(request: HttpRequest, name: str) -> HttpResponse:
    page = engines["django"].from_string("{% load i18n %}{{ greeting }} {{ user.username }} {% trans 'Yes' %}")
    user = User.objects.filter(username=name).first() or User(username="stranger")
    mail.send_mail("greeted", name, "us@site.example", ["you@site.example"])
    return HttpResponse(page.render({"greeting": settings.GREETING, "user": user}, request))


urlpatterns = [path("price/<int:amount>/", price), path("greet/<str:name>/", greet)]


class SiteTests(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.user = User.objects.create_user("ann", password="secret")

    def test_a_price_uses_the_rate(self) -> None:
        with mock.patch(f"{__name__}.rate", return_value=1.5) as patched:
            self.assertEqual(self.client.get("/price/10/", {"currency": "USD"}).json(), {"price": 15.0})
        patched.assert_called_once_with("USD")

    def test_a_user_is_greeted(self) -> None:
        self.assertEqual(self.client.get("/greet/ann/").content, b"Hello ann Yes")
        self.assertEqual(len(mail.outbox), 1)

    @override_settings(GREETING="Good evening")
    def test_the_greeting_is_a_setting(self) -> None:
        self.assertContains(self.client.get("/greet/nobody/"), "Good evening stranger")

    def test_the_language_can_be_changed(self) -> None:
        with translation.override("de"), self.settings(LANGUAGE_CODE="de"):
            self.assertContains(self.client.get("/greet/ann/"), "Ja")

    def test_a_password_is_checked(self) -> None:
        with self.assertNumQueries(2):
            self.assertTrue(User.objects.get(username="ann").check_password("secret"))
            self.assertFalse(User.objects.filter(username="bob").exists())


def main() -> None:
    output = io.StringIO()
    failed = 0
    runner = get_runner(settings)(verbosity=0, interactive=False)
    runner.setup_test_environment()
    databases = runner.setup_databases()
    with mock.patch("sys.stderr", output):
        for _ in range(ROUNDS):
            suite = runner.test_loader.loadTestsFromTestCase(SiteTests)
            result = runner.run_suite(suite)
            failed += len(result.failures) + len(result.errors)
    runner.teardown_databases(databases)
    runner.teardown_test_environment()
    if failed:
        sys.exit(output.getvalue())
    print(ROUNDS, "rounds of", suite.countTestCases(), "tests")


main()
