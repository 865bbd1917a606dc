"""How often something may happen that was seen seldom or never."""


def at_most(n_seen: int, n_tries: int, confidence: float = 0.95) -> float:
    """Upper end of the one-sided interval of a share. If nothing was seen in k tries, it is 1 - (1 - confidence)^(1/k).

    Args:
        n_seen: number of tries in which it happened.
        n_tries: number of tries.
        confidence: confidence of the interval.

    Source: Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial,
    Biometrika 26 (1934).
    """
    from scipy.special import betaincinv

    return 1.0 if n_seen == n_tries else float(betaincinv(n_seen + 1, n_tries - n_seen, confidence))
