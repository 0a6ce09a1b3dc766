"""Languages of a multilingual model: each source begins with the tag of its language.

The source "aanbod" of the language `dut` is the text "<dut> aanbod", in training, at inference and
in evaluation. Its tag is one token, which no tokenizer divides. A target has no tag.
"""

import re
from collections.abc import Iterable, Sequence

from seq2seq_jax.data.grouping import Grouping
from seq2seq_jax.data.tokenizers import Tokenizer, digest_of
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.schema.names import did_you_mean, format_choices
from seq2seq_jax.utils.errors import UserError

_TAG = re.compile(r"<([^<>\s]+)>(?: |\Z)")
_TAG_TOKEN = re.compile(r"<([^<>\s]+)>")


def tag_source(source: str, language: str) -> str:
    """Return a source with the tag of its language.

    Args:
      source: The text.
      language: The language; empty: there is none, and the text is returned as it is.

    Example:
      >>> tag_source("aanbod", "dut")
      '<dut> aanbod'
    """
    return f"<{language}> {source}" if language else source


def split_tag(text: str) -> tuple[str, str]:
    """Divide a source into its language and the rest.

    Args:
      text: The source.

    Returns:
      The language, empty if the text does not begin with a tag, and the text without the tag.

    Example:
      >>> split_tag("<dut> aanbod"), split_tag("aanbod")
      (('dut', 'aanbod'), ('', 'aanbod'))
    """
    match = _TAG.match(text)
    return (match[1], text[match.end() :]) if match else ("", text)


def is_tag(token: str) -> bool:
    """Return whether a token is the tag of a language.

    Args:
      token: The token.
    """
    return _TAG_TOKEN.fullmatch(token) is not None


def check_language(language: str, where: str) -> str:
    """Check that a text can be the name of a language.

    Args:
      language: The text; blanks around it do not count.
      where: The file, FILE:LINE or key that has it, for the error.

    Returns:
      The name.

    Raises:
      UserError: It is empty, or has blanks or angle brackets.
    """
    name = language.strip()
    if not is_tag(f"<{name}>"):
        rule = "a language must be a name without blanks, < and >, such as dut"
        raise UserError(where, f"{rule}; got {language!r}")
    return name


class TaggedTokenizer:
    """Keeps the tag of the language as the first token; another tokenizer splits the rest.

    Example:
      >>> from seq2seq_jax.data.tokenizers import DelimiterTokenizer
      >>> TaggedTokenizer(DelimiterTokenizer("")).split("<dut> zee")
      ['<dut>', 'z', 'e', 'e']
    """

    def __init__(self, rest: Tokenizer) -> None:
        """Add tags to a tokenizer.

        Args:
          rest: Splits what follows the tag.
        """
        self.rest = rest

    def split(self, text: str) -> list[str]:
        """Return the tag and the tokens of the rest; nothing if the rest has no tokens."""
        language, rest = split_tag(text)
        tokens = self.rest.split(rest)
        return [f"<{language}>", *tokens] if language and tokens else tokens

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens, with the tag if the first one is a tag."""
        tokens = list(tokens)
        if not tokens or not is_tag(tokens[0]):
            return self.rest.join(tokens)
        return f"{tokens[0]} {self.rest.join(tokens[1:])}"

    def digest(self) -> str:
        """Return hexadecimal digits that differ if any text may be split differently."""
        return digest_of("tagged", self.rest.digest())


def known_languages(vocabulary: Vocabulary) -> list[str]:
    """Return the languages whose tags are in a source vocabulary, sorted.

    Args:
      vocabulary: The source vocabulary of a multilingual model.
    """
    return sorted(token[1:-1] for token in vocabulary.tokens if is_tag(token))


def check_tag(text: str, vocabulary: Vocabulary, where: str) -> None:
    """Check that a source begins with the tag of a language that the model knows.

    Args:
      text: The source; an empty one is accepted.
      vocabulary: The source vocabulary of the model.
      where: What names the source, for the error.

    Raises:
      UserError: It has no tag, or the language was not in the training data.
    """
    language, _ = split_tag(text)
    if not text.strip() or vocabulary.encode([f"<{language}>"]) != [vocabulary.unk_id]:
        return
    known = known_languages(vocabulary)
    choices = f"the model knows {format_choices(known)}"
    if not language:
        example = f"<{known[0]}> ..." if known else "<dut> ..."
        what = f"has no language, which this model needs; use --language, or a text {example!r}"
        raise UserError(where, f"{what}; {choices}")
    hint = did_you_mean(language, known) or ";"
    raise UserError(where, f"unknown language {language!r}{hint} {choices}")


def check_vocabulary_has_tags(vocabulary: Vocabulary, tags: Iterable[str]) -> None:
    """Check that a source vocabulary has the tags of all languages of the training data.

    Args:
      vocabulary: The source vocabulary.
      tags: The first tokens of the sources.

    Raises:
      UserError: A token is no tag, or not in the vocabulary.
    """
    tags = list(tags)
    if others := [token for token in tags if not is_tag(token)]:
        what = f"yields sources without a language, such as one that begins with {others[0]!r};"
        raise UserError("input_pipeline_train.class", f"{what} begin each with a tag like '<dut> '")
    missing = [tag for tag in tags if vocabulary.encode([tag]) == [vocabulary.unk_id]]
    if missing:
        what = f"has no tokens for the languages {', '.join(missing)}; add these lines to the file,"
        raise UserError("vocab_source", f"{what} or use vocab_min_frequency=0 and vocab_max_size=0")


def tag_sources(sources: Sequence[str], languages: str | Sequence[str | None] | None) -> list[str]:
    """Return sources with the tags of their languages.

    Args:
      sources: The texts.
      languages: One language for all, or one for each; None: the texts stay as they are.

    Raises:
      ValueError: There are not as many languages as sources.
      UserError: A language has an impossible name.
    """
    if languages is None:
        return list(sources)
    if isinstance(languages, str):
        languages = [languages] * len(sources)
    if len(languages) != len(sources):
        raise ValueError(
            f"languages must be one, or one for each text; got {len(languages)} for"
            f" {len(sources)} texts."
        )
    return [
        tag_source(source, check_language(language, "languages")) if language else source
        for source, language in zip(sources, languages, strict=True)
    ]


def group_by_language(sources: Iterable[str]) -> Grouping:
    """Group sources by their tags.

    Args:
      sources: Texts with tags.
    """
    languages = [split_tag(source)[0] for source in sources]
    return Grouping("language", [(name,) if name else () for name in languages], macro_average=True)
