"""Tokenizers rebuilt from what a GGUF file holds: vocabulary, merges or scores, and kinds of tokens."""

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from .weights import Weights

NORMAL, USER_DEFINED = 1, 4  # GGUF's token types that a plain text can contain


def byte_level_bpe(weights: Weights) -> Tokenizer:
    """GPT-2's byte-level BPE with digits split one by one (the pre-tokenizer `smollm`)."""
    merges = [tuple(line.split(" ")) for line in weights.fact("tokenizer.ggml.merges")]
    pieces = weights.fact("tokenizer.ggml.tokens")
    tokenizer = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


def sentencepiece_bpe(weights: Weights) -> Tokenizer:
    """SentencePiece's BPE, with a space written as ▁ and unknown characters as bytes."""
    pieces = [piece.replace(" ", "▁") for piece in weights.fact("tokenizer.ggml.tokens")]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    merges = _ranked_merges(
        vocabulary, weights.fact("tokenizer.ggml.token_type"), weights.fact("tokenizer.ggml.scores")
    )
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    return tokenizer


def _ranked_merges(vocabulary, kinds, scores) -> list[tuple[str, str]]:
    """The file holds no merges: each way of joining two pieces into a third is one.

    User-defined pieces (runs of spaces and of newlines) come first, short ones before long ones; their
    scores mean nothing. The others follow, best score first.
    So a run of spaces longer than the longest piece (31) is halved, not cut 31 + rest.
    """
    ranked = []
    for piece, i in vocabulary.items():
        if kinds[i] not in (NORMAL, USER_DEFINED):
            continue
        rank = (0, len(piece)) if kinds[i] == USER_DEFINED else (1, -scores[i])
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in vocabulary and right in vocabulary:
                ranked.append((rank, left, right))
    ranked.sort(key=lambda merge: merge[0])
    return [(left, right) for _, left, right in ranked]
