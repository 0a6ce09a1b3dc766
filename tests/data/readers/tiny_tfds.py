"""Tiny datasets, prepared by a builder as published datasets are."""

from pathlib import Path


def prepare(data_dir: Path, name: str, features: dict, splits: dict, **identity) -> Path:
    """Prepare a dataset and return its directory.

    Args:
      data_dir: The directory of datasets.
      name: The name of the dataset.
      features: `{"document": "text"}`, with any feature instead of "text", or
        `{"translation": ("de", "en")}` for a dataset of translations.
      splits: The examples of each split.
      identity: `config` and `supervised_keys`.
    """
    import tensorflow_datasets as tfds

    config = identity.get("config")

    def connector(of):
        if isinstance(of, dict):
            return tfds.features.FeaturesDict({name: connector(each) for name, each in of.items()})
        return tfds.features.Text() if of == "text" else of

    class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config)] if config else []

        def _info(self):
            if "translation" in features:
                content = tfds.features.Translation(languages=features["translation"])
            else:
                content = connector(features)
            return tfds.core.DatasetInfo(
                builder=self,
                features=content,
                supervised_keys=identity.get("supervised_keys"),
                disable_shuffling=True,
            )

        def _split_generators(self, manager):
            return {name: self._generate_examples(some) for name, some in splits.items()}

        def _generate_examples(self, examples):
            return enumerate(examples)

    Tiny.name = name
    builder = Tiny(data_dir=data_dir, config=config, file_format="array_record")
    builder.download_and_prepare()
    return Path(builder.data_dir)


def prepare_translations(data_dir: Path, pairs: dict[str, list[tuple[str, str]]]) -> Path:
    """Prepare wmt16_translate/de-en with pairs of an English and a German text."""
    splits = {
        split: [{"en": english, "de": german} for english, german in some]
        for split, some in pairs.items()
    }
    return prepare(
        data_dir,
        "wmt16_translate",
        {"translation": ("de", "en")},
        splits,
        config="de-en",
        supervised_keys=("de", "en"),
    )
