"""Sources of text pairs.

input_pipeline      what a pipeline yields, and the parameters that all pipelines have
text_lines          lines of UTF-8 files
parallel_text       pairs of lines of two files
toy, cmudict        the built-in corpora
tabular_text        pairs of columns of a TSV or CSV file
tfrecord, records   TFRecord and array_record files
tf_example          tf.train.Example and tf.train.SequenceExample
tfrecord_pipeline   pairs of features of records
tfds_prepared       datasets that tensorflow-datasets has prepared
tfds_pipeline       pairs of features of such a dataset
tfds_export         writes pairs as such a dataset
"""
