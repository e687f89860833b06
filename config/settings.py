"""Django's settings, made from config.environment and nothing else."""

from typing import Any

import dj_database_url

from config.environment import BASE_DIR, ConfigurationError, load

HEADRACE = load()


def _secret_key() -> str:
    """The key given, else the one that `serve` made once, else one that lives as long as this process in debug mode."""
    if HEADRACE.secret_key:
        return HEADRACE.secret_key
    file = HEADRACE.var_dir / "secret_key"
    if file.is_file():
        return file.read_text().strip()
    if HEADRACE.debug:
        from django.core.management.utils import get_random_secret_key

        return get_random_secret_key()
    raise ConfigurationError(f"HEADRACE_SECRET_KEY is not set and {file} is not there; `manage.py serve` makes it")


def _database() -> dict[str, Any]:
    url = HEADRACE.database_url or f"sqlite:///{HEADRACE.var_dir / 'headrace.sqlite3'}"
    try:
        database: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
    except (ValueError, dj_database_url.UnknownSchemeError) as error:
        raise ConfigurationError(f"HEADRACE_DATABASE_URL: {error}") from None
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # IMMEDIATE: four claimers under DEFERRED gave millions of lock errors, under IMMEDIATE none.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        }
        database["TEST"] = {"NAME": str(HEADRACE.var_dir / "test.sqlite3")}
    return database


def _channel_layer() -> dict[str, Any]:
    if HEADRACE.layer == "memory":
        return {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 2000}}
    from config.redis import layer_config

    return layer_config(HEADRACE.layer, HEADRACE.redis_url, HEADRACE.channel_prefix)


SECRET_KEY = _secret_key()
DEBUG = HEADRACE.debug
ALLOWED_HOSTS = HEADRACE.allowed_hosts
CSRF_TRUSTED_ORIGINS = HEADRACE.allowed_origins

INSTALLED_APPS = [
    "config.apps.HeadraceAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "config.apps.ConfigConfig",
    "uploads.apps.UploadsConfig",
    "processing.apps.ProcessingConfig",
    "channels",  # after processing, whose `runworker` is the one that counts
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "config.middleware.security_headers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS = {"default": _channel_layer()}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = HEADRACE.var_dir / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.staticfiles.StaticStorage"},
    "uploads": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": HEADRACE.var_dir / "uploads"},
    },
    "artifacts": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": HEADRACE.var_dir / "results"},
    },
}
MEDIA_ROOT = HEADRACE.var_dir / "media"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HEADRACE.https
SECURE_SSL_REDIRECT = HEADRACE.https
SECURE_HSTS_SECONDS = 31_536_000 if HEADRACE.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HEADRACE.https
SECURE_REFERRER_POLICY = "same-origin"
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
X_FRAME_OPTIONS = "DENY"
if HEADRACE.behind_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": HEADRACE.log_level},
}
