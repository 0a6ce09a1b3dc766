"""The recipes: configuration files that come with the package and are found by name.

The wheel contains them as `seq2seq_jax/configs`; in a checkout they are the directory `configs`.
"""

from pathlib import Path

LIST_RECIPES = "`seq2seq-jax configs` lists the recipes"
NO_CONFIG = (
    f"name a configuration, as in --config=toy_reverse; {LIST_RECIPES}, and `seq2seq-jax init`"
    " writes a configuration for your files"
)


def recipe_files() -> dict[str, Path]:
    """Return the file of each recipe by its name, sorted.

    Example:
      >>> recipe_files()["g2p"].name
      'g2p.py'
    """
    package = Path(__file__).parents[1]
    packaged, checkout = package / "configs", package.parent / "configs"
    directory = packaged if packaged.is_dir() else checkout
    return {file.stem: file for file in sorted(directory.glob("*.py"))}


def find_recipe(name: str) -> Path | None:
    """Return the file of a recipe, or None if there is no recipe of this name.

    Args:
      name: The name, as in `g2p`. The path of a file is no name.
    """
    return recipe_files().get(name) if name.isidentifier() else None
