"""What the target is compared with: the user's source images, a named bank, or the network's running moments."""

from typing import NamedTuple

from graft.files import visible
from graft.params.measure_shift import MeasureShift
from graft.records.cards import BackboneCard
from graft.records.shift import ShiftSource
from graft.shift.feature_bank import read_bank
from graft.shift.sides import Side
from graft.store.features import SourceDetails


class Origin(NamedTuple):
    """The source, or what stands for it."""

    described: ShiftSource
    side: Side
    """images of the source or of the bank; no rows where there is neither"""
    details: SourceDetails


def origin_of(side: Side, details: SourceDetails, card: BackboneCard, params: MeasureShift) -> Origin:
    """Choose what stands for the source: the user's images, else a bank that params.yaml names, else running moments.

    Args:
        side: the user's source images; no rows where there are none.
        details: activations and yardstick features of a sample of them.
        card: card of the backbone.
        params: names the bank.

    Raises:
        FileNotFoundError: there is no such bank.
        ValueError: a bank is named beside source images, or it cannot be used.
    """
    if len(side.rows) and params.bank_file is not None:
        raise ValueError(
            "params.yaml, measure_shift.bank_file: want null where data/raw/source has images, got "
            f"{visible(params.bank_file)}. Set bank_file and bank_sha256 to null; the images themselves are the better "
            "source."
        )
    if len(side.rows):
        own = ShiftSource(kind="own", name="source", licence=None, n_images=len(side.rows))
        return Origin(own, side, details)
    if params.bank_file is None:
        network = ShiftSource(kind="bn_stats", name=f"{card.network} ({card.origin})", licence=None, n_images=0)
        return Origin(network, side, details)
    bank = read_bank(params, card)
    proxy = ShiftSource(kind="proxy", name=bank.about.name, licence=bank.about.licence, n_images=len(bank.side.rows))
    return Origin(proxy, bank.side, bank.details)
