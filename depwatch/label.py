"""Jump labels: native code that depwatch patches, a nop while an assumption holds and a jump while it does not."""

from typing import Final, final

from depwatch import _core
from depwatch.errors import Released


@final
class JumpLabel:
    """A 5-byte nop in native code that becomes a jump to `target` the moment the value is another than `value`.

    Made by Recorder.jump_label. It becomes the nop again when the change is undone. The code must stay mapped until the
    handle is released and drained.
    """

    __slots__ = ("_reference", "address", "name", "target", "value")

    def __init__(self, name: str, address: int, target: int, value: object, reference: _core.LabelReference) -> None:
        self.name: Final = name
        self.address: Final = address
        self.target: Final = target
        self.value: Final = value  # what is assumed
        self._reference: Final = reference

    def __repr__(self) -> str:
        state = "released" if self._reference.released else "nop" if self.holds else "jump"
        return f"<JumpLabel of {self.name!r} at {self.address:#x}, {state}>"

    @property
    def holds(self) -> bool:
        """Whether it is the nop now. Raises Released."""
        if self._reference.released:
            raise Released(f"the jump label of {self.name!r} was released with its handle; its code may be gone")
        return bool(self._reference.guard)

    def _release(self) -> None:
        self._reference.release()
