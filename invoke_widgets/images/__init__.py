"""The pictures of jobs, boards and uploads, as objects: look at them, save them, move them, clean them up."""

from invoke_widgets.images.boards import Board, Boards, board_id_of
from invoke_widgets.images.cleanup import Cleanup, left_behind
from invoke_widgets.images.image import Image, Images, images_of, latest_images
from invoke_widgets.images.uploads import Uploads, content_of

__all__ = [
    "Board",
    "Boards",
    "Cleanup",
    "Image",
    "Images",
    "Uploads",
    "board_id_of",
    "content_of",
    "images_of",
    "latest_images",
    "left_behind",
]
