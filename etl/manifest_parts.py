"""The parts of a manifest that are of one kind, as a warehouse takes them: text to send, or a list to fetch by."""

import functools
import json
from collections.abc import Callable, Mapping

from etl import config
from etl.errors import LakeError
from etl.lake import Bucket
from etl.manifest import Manifest, ManifestTarget, list_of
from etl.part_files import Part, PartReader


class ManifestParts:
    """Those that are to be loaded, the `rejected` or the `gone` of one manifest."""

    def __init__(self, extract: ManifestTarget, manifest: Manifest, kind: str = "parts"):
        self._extract, self._manifest, self._kind = extract, manifest, kind
        self._parts: tuple[Part, ...] = getattr(manifest, kind)
        self.null, self.compression = manifest.null, manifest.compression

    @property
    def opened(self) -> Mapping[str, Callable[[], PartReader]]:
        """By URL; what is read of a part is verified by its size and checksum."""
        return {part.url: functools.partial(self._extract.open_part, part, self._manifest) for part in self._parts}

    def listed(self) -> str:
        """The URL of a COPY manifest of these parts; LakeError unless each is the object that was written.

        It is COPY that reads them then, so that their checksums are nobody's to see: a size and an ETag have to do.
        """
        bucket = Bucket(config.lake())
        for part in self._parts:
            size, etag = bucket.stamp(bucket.key(part.url))
            if size != part.size:
                now = "is not there any more" if size is None else f"has {size} now"
                raise LakeError(
                    f"{part.url}: was written with {part.size} bytes and {now}; delete the manifest and extract again"
                )
            if part.etag not in ("", etag):
                raise LakeError(
                    f"{part.url}: is another object than the one that was written (ETag {etag}, it was {part.etag}); "
                    f"delete the manifest and extract again"
                )
        if self._kind == "parts":
            return self._extract.url
        # COPY does not know of parts that stand elsewhere in a manifest than among its entries.
        key = bucket.key(list_of(self._parts[0]))
        bucket.put(
            key, json.dumps({"entries": [{"url": part.url, "mandatory": True} for part in self._parts]}).encode()
        )
        return bucket.url(key)
