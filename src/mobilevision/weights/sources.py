"""Where published weights are, and how they come here: the Hugging Face hub, plain downloads; each with its cache."""

import socket
import urllib.error
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub import errors as hub

from mobilevision.errors import MissingError, UsageError

OTHERWISE = "go online once, or give a file: pretrained=PATH, --weights PATH"


@dataclass(frozen=True)
class Hub:
    """A repository of the Hugging Face hub; its cache and its offline switch (HF_HUB_OFFLINE) are respected.

    Attributes:
        name: "owner/name", as in https://huggingface.co/owner/name.
        revision: branch, tag or commit; None is the newest.
    """

    name: str
    revision: str | None = None

    def file(self, name: str = "model.safetensors") -> Path:
        """A file that does not change once it is published: from the cache, else downloaded into it.

        Raises:
            UsageError: if there is no such repository or file.
            MissingError: if it is not cached and cannot be downloaded.
        """
        kept = try_to_load_from_cache(self.name, name, revision=self.revision, cache_dir=constants.HF_HUB_CACHE)
        return Path(kept) if isinstance(kept, str) else self.newest(name)

    def newest(self, name: str) -> Path:
        """A file as the hub has it now; the cached one, if the hub cannot be reached.

        Raises:
            UsageError: if there is no such repository or file.
            MissingError: if it is not cached and cannot be downloaded.
        """
        try:
            found = hf_hub_download(
                self.name,
                name,
                revision=self.revision,
                cache_dir=constants.HF_HUB_CACHE,
                local_files_only=not _reachable(constants.ENDPOINT),  # else it would try for half a minute
            )
            return Path(found)
        except hub.HFValidationError as error:
            raise UsageError(f"{self.name!r} does not name a repository of the hub; it needs owner/name") from error
        except hub.LocalEntryNotFoundError as error:
            raise MissingError(
                f"{name} of {self.name} is not in the hub's cache ({constants.HF_HUB_CACHE}) "
                f"and the hub cannot be reached; {OTHERWISE}"
            ) from error
        except hub.EntryNotFoundError as error:
            raise UsageError(f"the hub's {self.name} has no {name}; choose another repository") from error
        except (hub.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # that of the hub's HTTP library
            raise MissingError(f"the hub does not give {name} of {self.name} ({_first(error)}); {OTHERWISE}") from error


@dataclass(frozen=True)
class Download:
    """A file at an address; it is kept where torch keeps what it downloads, HF_HUB_OFFLINE forbids to fetch it.

    Attributes:
        url: the address.
        folder: of torch's folder of downloads; files of one name at several addresses need folders of their own.
        digest: the first hex digits of the file's SHA-256; "" if they are not published.
    """

    url: str
    folder: str = ""
    digest: str = ""

    @property
    def path(self) -> Path:
        """Where the file is kept."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.folder / self.url.rsplit("/", 1)[1]

    def file(self) -> Path:
        """The file, from the cache or downloaded into it.

        Raises:
            MissingError: if it is not cached and cannot be downloaded.
        """
        path = self.path
        if path.is_file():
            return path
        if constants.HF_HUB_OFFLINE:
            raise MissingError(f"{path.name} is not at {path} and HF_HUB_OFFLINE is set; put it there, or {OTHERWISE}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(self.url, str(path), self.digest or None)
        except (urllib.error.URLError, OSError, RuntimeError) as error:
            raise MissingError(
                f"{path.name} is not at {path} and {self.url} does not give it ({_first(error)}); "
                f"put it there, or {OTHERWISE}"
            ) from error
        return path


def _reachable(endpoint: str) -> bool:
    """Whether the host of an address is known here; a proxy would look it up itself."""
    if getproxies().get("https"):
        return True
    try:
        socket.getaddrinfo(urlsplit(endpoint).hostname, 443)
    except OSError:
        return False
    return True


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:120] or type(error).__name__
