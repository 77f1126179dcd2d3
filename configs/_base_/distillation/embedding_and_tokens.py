# The embedding and the patch tokens after the final norm, each with a weight of 1: the MSE of
# Proteus (arXiv 2407.10366), without its masked term.
model = dict(
    type='mmvitkd.FeatureDistill',
    pairs=[('embedding', 'embedding'), ('tokens', 'tokens')],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=2.0),
)
