"""Speed and memory of training, of search and of the input, ours and of what people use otherwise.

    cases             the models and the sentences, the same for every framework; numpy alone
    real_lengths      the one case whose sentences are as long as people's
    work              one measurement by name, in a process of its own with so many threads
    timing            how runs are timed, and the machine's limit (matmul)
    training          of this package: the step at each case, and at google/seq2seq's shapes
    decoding          of this package: greedy and beam search
    loop              of this package: what the loop adds to the step, and the time until the first
    input_pipeline    batches a second from prepared data
    inception         of this package: InceptionV3 at work and in training (inception_work)
    peers/            the same work in OpenNMT-py, JoeyNMT, fairseq, PyTorch, grain, tf.data, Keras;
                      each runs in an environment of its own (peers/environments)
    in_turn           runs all of them, one after the other
    report            a table and a plot of the lines that they print

`python -m benchmarks --help` lists the commands. What `peers/` imports from here needs
numpy alone, for JAX is not in the environments of others.
"""
