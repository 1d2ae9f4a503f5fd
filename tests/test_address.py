import pytest

from l9.errors import StoreError, UsageError
from l9.store.address import confined, is_address, masked, read_address


def test_an_address_is_read_and_written_again():
    about = read_address("s3://homes/team/l9?endpoint_override=127.0.0.1:9000&scheme=http&region=here")
    assert (about.scheme, about.bucket, about.folder) == ("s3", "homes", "homes/team/l9")
    assert (about.endpoint, about.protocol, about.region) == ("127.0.0.1:9000", "http", "here")
    assert read_address(about.url) == about
    assert read_address("s3://homes").folder == "homes" and read_address("s3://homes/").url == "s3://homes"
    assert read_address("file:///tmp/a%20b").folder == "/tmp/a b"


def test_the_region_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "there")
    assert read_address("s3://homes/a").region == "there"


def test_a_place_has_one_digest_however_it_is_written():
    one = read_address("s3://homes/a?scheme=http&endpoint_override=h:1").digest
    assert one == read_address("s3:/homes/a/?endpoint_override=h:1&scheme=http&region=x").digest
    assert one != read_address("s3://homes/b?scheme=http&endpoint_override=h:1").digest


def test_what_a_person_means():
    assert all(map(is_address, ("s3://b/p", "s3:/b/p", "gs://b", "file:///x")))
    assert not any(map(is_address, ("l9-home", "/tmp/s3", "./s3:/x", "C:home", "a:b")))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("gs://homes/a", "scheme 'gs' is not known; expected s3://BUCKET"),
        ("s3://Homes_/a", "no name of a bucket"),
        ("s3://homes/../a", "expected parts with / between"),
        ("s3://homes/a//b", "expected parts with / between"),
        ("s3://homes/a?scheme=ftp", "expected http or https"),
        ("s3://homes/a?endpoint_override=h/x", "expected HOST:PORT"),
        ("s3://homes/a?allow_bucket_creation=true", "'allow_bucket_creation' is no setting"),
        ("s3://homes/a#b", "'#' is no setting"),
        ("file:///tmp?scheme=http", "'scheme' is no setting"),
    ],
)
def test_what_is_no_address_is_one_line(words, said):
    with pytest.raises(UsageError, match=said.replace("?", r"\?")) as caught:
        read_address(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        "s3://AKIAHIDDEN:hidden@homes/a",
        "s3://hidden@homes/a",
        "s3://homes/a?access_key=hidden&secret_key=hidden",
        "s3://homes/a?session_token=hidden",
        "s3://homes/a?X-Amz-Signature=hidden",
        "s3://homes/a?endpoint_override=user:hidden@host:1",
        "s3://homes/a?scheme=http&Password=hidden",
    ],
)
def test_an_address_that_holds_a_key_is_refused_and_the_key_not_shown(words):
    with pytest.raises(UsageError, match="an address holds no key; give keys by the environment: AWS_ACCESS_KEY_ID") as caught:
        read_address(words)
    assert "hidden" not in str(caught.value).lower()


def test_keys_of_the_environment_are_masked_wherever_they_stand(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden/one")
    assert masked("signed with hidden/one at http://u:p@h/") == "signed with *** at http://***@h/"


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\\b", "a\nb", "a\0b"])
def test_names_stay_within_a_home(name):
    with pytest.raises(StoreError, match="no name of a file in a home"):
        confined(name)


def test_ordinary_names_are_names():
    for name in ("a", "runs/x-s0-1/metrics.jsonl", "raw/furniture/usr/share/a b.sh3f", "..a/b.."):
        assert confined(name) == name
