"""The environment is read once, strictly, and printed without secrets."""

import pytest

from service.settings import Settings, SettingsError, load_settings


def test_without_variables_the_defaults_hold():
    assert load_settings({"PATH": "/bin"}) == Settings()


def test_variables_are_typed():
    settings = load_settings({"RUNQUOTE_PORT": "9000", "RUNQUOTE_REDIS_TIMEOUT_S": "0.02"})
    assert (settings.port, settings.redis_timeout_s) == (9000, 0.02)


def test_every_mistake_is_named_at_once():
    with pytest.raises(SettingsError) as mistakes:
        load_settings({"RUNQUOTE_PORT": "many", "RUNQUOTE_SPEED": "1", "RUNQUOTE_LOG_LEVEL": "x"})
    for word in ("RUNQUOTE_PORT", "RUNQUOTE_SPEED is not a setting", "RUNQUOTE_LOG_LEVEL"):
        assert word in str(mistakes.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@cache:6379",
        "redis://user:hunter2@cache/0",
        "redis+sentinel://:hunter2@a,b/master?sentinel_password=hunter2",
        "redis://:hunter2/#@cache",
    ],
)
def test_a_password_is_never_printed(url):
    assert "hunter2" not in str(Settings(redis_url=url).redacted())


def test_a_mistaken_address_is_named_without_its_password():
    with pytest.raises(SettingsError) as mistake:
        load_settings({"RUNQUOTE_REDIS_URL": "http://:hunter2@cache"})
    assert "RUNQUOTE_REDIS_URL" in str(mistake.value)
    assert "hunter2" not in str(mistake.value)


def test_the_secret_of_the_cache_is_long_and_never_printed():
    secret = "hunter2 hunter2 hunter2"
    settings = load_settings({"RUNQUOTE_CACHE_KEY": secret})
    assert settings.cache_key == secret
    assert "hunter2" not in str(settings.redacted())
    with pytest.raises(SettingsError) as mistake:
        load_settings({"RUNQUOTE_CACHE_KEY": "hunter2"})
    assert "RUNQUOTE_CACHE_KEY" in str(mistake.value)
    assert "hunter2" not in str(mistake.value)
