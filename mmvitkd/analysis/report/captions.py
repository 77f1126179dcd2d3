"""How the numbers and figures of a report are read, and what they cannot tell."""

COLUMNS = (
    "SVD and PCA 99 %: directions for 99 % of an image's energy, 99th percentile over images. "
    "Overlap: of two images' subspaces, beside that of random ones. b90: share of the "
    'frequencies (SEP) or of the channels, the strongest first (sorted), that holds 90 % of a '
    "token's energy. The others are means over images."
)

# Heading and text by figure, in the order in which they are shown.
READING = {
    'layers': (
        'Directions, block by block',
        "How many directions hold 99 % of an image's energy: of its own (SVD, uncentred) and "
        'of those that all images share (PCA). Low and high together mean that every image '
        'lies in few directions, and each in others. N tokens have at most min(N, D) of their '
        'own: compare models on as many tokens.',
    ),
    'dimensions': (
        'Directions, image by image',
        'The same for the last block at every share of the energy. The published tables give '
        'the 99th percentile over 1,000 images (arXiv 2511.15572), so an unusual image or two '
        'decide it where there are few.',
    ),
    'energy': (
        'Energy over directions',
        "Mean share of an image's energy in its first directions. As published, the dataset's "
        'directions are fitted to the images that are judged by them, which flatters PCA where '
        'images are few; `held_out` in the settings says whether half of them were kept apart.',
    ),
    'rotation': (
        'Rotation of the subspaces',
        'Principal angles between the subspaces in which most of the energy lies. The overlap '
        'is the mean squared cosine: 1 of equal subspaces, d / D of random ones. '
        'Uncentred, the first direction is largely the mean token, which all images have in '
        'common, so that the first angle is small whatever the rest do.',
    ),
    'sep': (
        'Spectral energy pattern (SEP)',
        "Cumulated energy over the frequencies of a token's channels. **Never read it without "
        'its null.** The spectrum of a real token is symmetric, so b50 is about 0.5 of any '
        'input; and in an arbitrary order of the channels one-hot, sparse and Gaussian tokens '
        'all have b90 near 0.90. Only what leaves the band of the permutations says anything '
        'about the order, and only the sorted energy whether a token uses few channels. (That '
        'band, of 2 s.d., is drawn where `--measures` has `permutation`, which is left out by '
        'default where there are more than two blocks; the band of the own curve is 1 s.d. of '
        'the images.)',
    ),
    'sorted_energy': (
        'Sorted channel energy',
        "Cumulated energy of a token's channels, the strongest first, without any FFT: the "
        'order of the channels does not matter. 90 % lie in 0.003, 0.013 and 0.45 of 384 '
        'channels where tokens are one-hot, 8-sparse and Gaussian.',
    ),
    'in_use': (
        'Directions and channels in use',
        "Effective rank: exponential of the entropy of an image's singular values. "
        "Participation ratio: (sum e)^2 / sum e^2 over a token's channel energies e; 1 of "
        'one-hot tokens, about D / 3 of Gaussian ones.',
    ),
    'spectrum': (
        'Channel spectrum',
        'Mean amplitude at each frequency over the channels (arXiv 2511.06848); half of it, '
        'the other half mirrors it. It is in the unit of the features and grows with them. '
        'Behind a LayerNorm it is nearly 0 at frequency 0, where the curve leaves the axis.',
    ),
    'intensity': (
        'Frequency intensity',
        'The mean of that spectrum, by which SpectralKD chooses layers (arXiv 2412.19055); '
        '`choose_layers.py` turns it into pairs. It grows with the features, so models are '
        'compared by its shape over the blocks, not by its height.',
    ),
    'u_shape': (
        'Entropy and magnitude',
        "arXiv 2511.06848 sees both fall and then rise over CaiT's blocks. The entropy's 100 "
        'bins lie between the smallest and the largest value of all blocks and images: one '
        'large activation widens all bins, and a report of other blocks has others. At the '
        'last block of a model that classifies a class token, the gradient of patches is 0.',
    ),
}
