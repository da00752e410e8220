"""The sample data set: the 1,797 handwritten digits that scikit-learn contains, as PNG files.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998
(its test part). 8×8 pixels with 17 gray levels, stored in this size: training enlarges them to the network's.
"""

from pathlib import Path

from PIL import Image

from ml.jobs.data.parallel import Progress, quiet
from ml.jobs.data.splits import assign

NAME = "digits"
_WHITE = 16  # the highest gray level of the data set


def write(folder: Path, progress: Progress = quiet) -> None:
    """Write `<split>/<digit>/digit_0001.png` below a folder, with the same bytes on every machine."""
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
        image = Image.fromarray((pixels * (255 / _WHITE)).round().astype("uint8"))
        # Uncompressed: compression saves nothing for 64 pixels, and its result depends on the version of zlib.
        image.save(path, compress_level=0)
        progress("writing the sample", done, len(names))
