"""The pictures of jobs, boards and uploads, as objects: look at them, save them, move them, clean them up."""

from invoke_widgets.images.boards import Board, Boards
from invoke_widgets.images.image import Image, Images, images_of, latest_images

__all__ = ["Board", "Boards", "Image", "Images", "images_of", "latest_images"]
