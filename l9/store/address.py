"""The address of a home that is no local folder: `s3://bucket/prefix?endpoint_override=host:port&scheme=http&region=name`, or `file:///folder`.

Keys are never part of it: they come by the environment or the user's own files, so an address can be said, stored and sent to workers.
"""

import os
import re
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from l9.errors import StoreError, UsageError
from l9.fingerprint import digest

SCHEMES = ("s3", "file")
SETTINGS = ("endpoint_override", "region", "scheme")
FORM = "s3://BUCKET/PREFIX?endpoint_override=HOST:PORT&scheme=http"
BY_ENVIRONMENT = "give keys by the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
ENDPOINT = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")  # in the environment; their values are never shown


@dataclass(frozen=True)
class Address:
    """Where a remote home is.

    folder    bucket and prefix, or the absolute path of a `file:` home
    endpoint  "host:port", "" for the provider's own; `protocol` "http" or "https"
    region    as the address or AWS_REGION says; "" where the client finds it out
    """

    scheme: Literal["s3", "file"]
    folder: str
    endpoint: str = ""
    protocol: str = "https"
    region: str = ""

    @property
    def bucket(self) -> str:
        """The first part of the folder."""
        return self.folder.partition("/")[0]

    @property
    def url(self) -> str:
        """The address written out, settings in fixed order."""
        told = {"endpoint_override": self.endpoint, "region": self.region, "scheme": self.protocol if self.protocol != "https" else ""}
        settings = "&".join(f"{name}={value}" for name, value in told.items() if value)
        return f"{self.scheme}://{self.folder}{'?' if settings else ''}{settings}"

    @property
    def digest(self) -> str:
        """16 hex digits that stand for the place: the same however its address is written, and whatever the region is said to be."""
        return digest([self.scheme, self.folder, self.endpoint])[:16]


def is_address(words: str) -> bool:
    """Whether a person means a remote home and no folder; a path library may have made one slash of two."""
    return re.match(r"[a-z][a-z0-9+.-]*://", words) is not None or words.startswith(tuple(f"{scheme}:/" for scheme in SCHEMES))


def read_address(words: str) -> Address:
    """The address that `words` is.

    raises  UsageError for another scheme or setting, for a bucket or prefix that cannot be, and for an address that holds a key: what is
            shown of it then has the key masked
    """
    split = urlsplit(re.sub(r"^([a-z0-9+.-]+):/+", r"\1:///" if words.startswith("file:") else r"\1://", words))
    if split.scheme not in SCHEMES:
        raise UsageError(f"--home {masked(words)}: the scheme '{split.scheme}' is not known; expected {FORM}, file:///FOLDER, or a folder")
    settings = _settings(split, words)
    if split.scheme == "file":
        return Address("file", f"/{_prefix(unquote(split.path), words)}")
    if not BUCKET.fullmatch(split.netloc):
        raise UsageError(f"--home {masked(words)}: '{masked(split.netloc)}' is no name of a bucket; expected {FORM}")
    prefix = _prefix(split.path, words)
    folder = f"{split.netloc}/{prefix}" if prefix else split.netloc
    region = settings.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    return Address("s3", folder, settings.get("endpoint_override", ""), settings.get("scheme", "https"), region)


def _settings(split: SplitResult, words: str) -> dict[str, str]:
    settings = dict(parse_qsl(split.query, keep_blank_values=True))
    odd = sorted(set(settings) - set(SETTINGS if split.scheme == "s3" else ()))
    if "@" in split.netloc or "@" in settings.get("endpoint_override", "") or any(_secret(name) for name in odd):
        raise UsageError(f"--home {masked(words)}: an address holds no key; {BY_ENVIRONMENT}")
    if odd or split.fragment:
        raise UsageError(f"--home {masked(words)}: '{odd[0] if odd else '#'}' is no setting of an address; expected {FORM}")
    if settings.get("scheme", "https") not in ("http", "https"):
        raise UsageError(f"--home {masked(words)}: scheme={settings['scheme']}; expected http or https")
    if not ENDPOINT.fullmatch(settings.get("endpoint_override", "host")):
        raise UsageError(f"--home {masked(words)}: endpoint_override={settings['endpoint_override']}; expected HOST:PORT")
    return settings


def _secret(name: str) -> bool:
    return re.search(r"key|secret|token|password|signature|credential", name, re.IGNORECASE) is not None


def _prefix(path: str, words: str) -> str:
    try:
        return confined(path.strip("/")) if path.strip("/") else ""
    except StoreError as error:
        raise UsageError(f"--home {masked(words)}: {error}") from error


def confined(name: str) -> str:
    """`name` again, if it is one of a file below a home; StoreError where it would lead out of it, or is written in another way."""
    if not name.isprintable() or "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise StoreError(f"{name!r} is no name of a file in a home; expected parts with / between them, none of them empty, . or ..")
    return name


def masked(text: str) -> str:
    """`text` without what may be a key: user parts and values of settings that are not known, and the keys of the environment."""
    text = re.sub(r"(?<=//)[^/?#\s]*@|(?<=override=)[^&\s]*@", "***@", text)
    text = re.sub(r"([?&])([^=&\s]+)=([^&\s]*)", lambda found: _masked_setting(*found.groups()), text)
    for name in KEYS:
        if len(value := os.environ.get(name, "")) >= 4:  # a shorter one would mask half of every line
            text = text.replace(value, "***")
    return text


def _masked_setting(before: str, name: str, value: str) -> str:
    return f"{before}{name}={value if name in SETTINGS else '***'}"


def protocol_of(address: Address) -> str:
    """`http://host:port` of an address, or the provider's name: what a person checks when it does not answer."""
    return f"{address.protocol}://{address.endpoint}" if address.endpoint else cast(str, address.scheme)
