"""The pictures of jobs, boards and uploads, as objects: look at them, save them, move them, clean them up."""

from invoke_widgets.images.boards import Board, Boards, board_id_of
from invoke_widgets.images.cleanup import Cleanup, left_behind
from invoke_widgets.images.image import Image, Images, change_all, images_named, images_of, latest_images, real_names
from invoke_widgets.images.saving import Tally, save_soon
from invoke_widgets.images.uploads import Uploads, content_of

__all__ = [
    "Board",
    "Boards",
    "Cleanup",
    "Image",
    "Images",
    "Tally",
    "Uploads",
    "board_id_of",
    "change_all",
    "content_of",
    "images_named",
    "images_of",
    "latest_images",
    "left_behind",
    "real_names",
    "save_soon",
]
