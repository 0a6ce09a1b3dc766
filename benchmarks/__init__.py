"""Speed and memory of training, search and input, of this package and of other toolkits.

    cases             the models and the sentences, the same for every toolkit; needs numpy only
    real_lengths      the case whose sentences have the lengths of a real corpus
    work              one measurement by name, in its own process with a given number of threads
    timing            how runs are timed
    matmul            the fastest matrix product of the machine
    training          this package: the training step of each case
    decoding          this package: greedy and beam search
    recorded          this package: the training step at the recorded shapes of google/seq2seq
    loop, bare_step   this package: overhead of the training loop, time until the first step
    scaling           this package: operations and reductions per device
    input_pipeline    batches per second from prepared data
    inception         this package: InceptionV3 in inference and training (inception_work)
    peers/            the same work in OpenNMT-py, JoeyNMT, fairseq, PyTorch, grain, tf.data and
                      Keras; each runs in its own environment (peers/environments)
    interleaved       runs all of them in turn, round after round
    report            a table and a plot of the printed lines

`python -m benchmarks --help` lists the commands; run it in the repository root. What `peers/`
imports from this package needs numpy only, because the other toolkits' environments have no JAX.
"""
