"""From text to padded batches, in numpy.

  readers             sources of text pairs: files, tables, records, built-in corpora
  vocabulary          tokens and their ids
  tokenizers          text to tokens and back: words, characters or subwords
  bpe                 subwords by byte-pair encoding
  sentencepiece_model subwords by SentencePiece
  subwords            learns, reads and stores the subwords of a run
  ragged              rows of different lengths in one flat array
  tokenized_cache     tokenized corpora in memory-mapped files
  corpus              tokenized text as ids
  dev_set             sources with all their references
  buckets             the few shapes that batches have
  sampler             which examples each batch holds
  batches             padded batches, and the position in an epoch
  report              a description of the training data

Nothing in this package imports the configuration or JAX.
"""
