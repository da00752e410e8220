"""The sample data set: the 1,797 handwritten digits that ship inside scikit-learn, as a tree of PNG files.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998
(its test part). 8×8 pixels of 17 grey levels. They are stored at their true size: a small network on 8×8 input
scores higher, and trains seven times faster, than on the same pictures enlarged to 32×32.
"""

from pathlib import Path

from PIL import Image

from ml.jobs.data.layout import assign
from ml.jobs.data.parallel import Progress, quiet

NAME = "digits"
_WHITE = 16  # the set's highest grey level


def write(folder: Path, progress: Progress = quiet) -> None:
    """Write `<split>/<digit>/digit_0001.png` under folder, the same bytes on every machine."""
    from sklearn.datasets import load_digits  # takes a second or two to import

    digits = load_digits()
    names = [f"digit_{number:04}.png" for number in range(1, len(digits.images) + 1)]
    split_of: dict[str, str] = {}
    for label in range(10):
        split_of |= assign(n for n, target in zip(names, digits.target, strict=True) if target == label)
    for done, (name, pixels, label) in enumerate(
        zip(names, digits.images, digits.target, strict=True), start=1
    ):
        path = folder / split_of[name] / str(label) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((pixels * (255 / _WHITE)).round().astype("uint8"))
        # Uncompressed: 64 pixels gain nothing, and a compressor's bytes differ between its versions.
        picture.save(path, compress_level=0)
        progress("writing the sample", done, len(names))
