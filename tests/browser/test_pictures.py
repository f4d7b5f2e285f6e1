"""The README's pictures can be made from the product as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.browser import pictures
from tests.browser.session import Lab


@pytest.mark.slow
def test_pictures_of_the_readme_can_be_made(lab: Lab, tmp_path: Path) -> None:
    """Each of the files that it shows, and the moving one moves."""
    pictures.make(lab, tmp_path, "light")
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {path.name for path in pictures.FOLDER.iterdir() if "light" in path.name}
    with Image.open(tmp_path / "console-light.gif") as film:
        assert film.n_frames > 10
