"""Real rows: the real astroquery against a server on loopback that answers as SkyServer does, its faults included."""

import gzip
import hashlib
import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from sdss_lesson import load_sdss, split_by_object
from sdss_lesson.__main__ import main
from sdss_lesson.support import skyserver
from sdss_lesson.support.skyserver import FetchError, fetch

astroquery_sdss = pytest.importorskip("astroquery.sdss")

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sdss_sample.csv"
COLUMNS = SAMPLE.read_text("utf-8").splitlines()[0].split(",")
WAY_ON = "The lesson runs on the shipped sample, too: make lesson."
LATER = "Try again later; until then the lesson runs on the shipped sample: make lesson."


class Sky(ThreadingHTTPServer):
    """SkyServer's SQL search, over a table of its own. `faults` answer the next requests instead, one each."""

    def __init__(self, base: sqlite3.Connection) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.base, self.lock, self.let_go = base, threading.Lock(), threading.Event()
        self.requests: list[str] = []
        self.faults: list[Callable[[Handler], None] | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, sql: str) -> str:
        """The query, as sqlite understands it: it is plain SQL."""
        with self.lock:
            table = pd.read_sql_query(sql, self.base)
        return "#Table1\n" + table.to_csv(index=False)

    def handle_error(self, *_: object) -> None:
        pass  # a client that hangs up is part of the tests


class Handler(BaseHTTPRequestHandler):
    server: Sky

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        words = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.server.requests.append(words.get("cmd", "").strip())
        if self.server.faults and (fault := self.server.faults.pop(0)) is not None:
            fault(self)
        elif url.path != "/dr17/en/tools/search/x_results.aspx" or len(url.query) > 2048:
            self.say("<html><body>Not found</body></html>", status=404)
        else:
            assert words["format"] == "csv" and words["searchtool"] == "SQL" and ";" not in words["cmd"]
            self.say(self.server.answer(words["cmd"]))

    def say(self, text: str | bytes, status: int = 200, more: int = 0, length: bool = True, **headers: str) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length:
            self.send_header("Content-Length", str(len(data) + more))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def many_skies() -> pd.DataFrame:
    """The sample, with what SkyServer has besides: bad photometry, doubtful spectra, magnitudes that are none."""
    rows = pd.read_csv(SAMPLE, dtype={"specobjid": str}).assign(clean=1, zwarning=0)
    rows.loc[rows.index % 50 == 0, "zwarning"] = 4
    dirty = rows["objid"].drop_duplicates().iloc[::40]
    rows.loc[rows["objid"].isin(dirty), "clean"] = 0
    rows.loc[rows["objid"].isin(rows["objid"].iloc[7::60]), "u"] = -9999.0
    return rows


ROWS = many_skies()


def expected(seed: int, count: int) -> pd.DataFrame:
    """What a fetch holds, found another way."""
    good = ROWS[(ROWS["clean"] == 1) & (ROWS["zwarning"] == 0) & (ROWS["u"] > 0)]
    start = 110 + (40 + 92.9 * seed) % 150
    strip = (((good["ra"] - start) % 150) * 10 + 1e-9).astype(int)
    order = pd.DataFrame({"strip": strip, "spectrum": good["specobjid"].map(int)}).sort_values(["strip", "spectrum"])
    return good.loc[order.index[:count], COLUMNS].reset_index(drop=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("a test slept"))


@pytest.fixture(scope="module")
def base() -> Iterator[sqlite3.Connection]:
    """SkyServer's two tables. sqlite has no whole numbers as large as a specobjid, so that these are text."""
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as base:
        ROWS.drop_duplicates("objid")[[*COLUMNS[:12], "clean"]].to_sql("PhotoObj", base, index=False)
        spectra = ROWS.drop(columns="z").rename(columns={"objid": "bestobjid", "redshift": "z"})
        names = ["bestobjid", "specobjid", "class", "z", "plate", "mjd", "fiberid", "ra", "zwarning"]
        spectra[names].to_sql("SpecObjAll", base, index=False)
        base.execute("CREATE INDEX i_objid ON PhotoObj (objid)")
        yield base


@contextmanager
def running(base: sqlite3.Connection) -> Iterator[Sky]:
    server = Sky(base)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def sky(base: sqlite3.Connection) -> Iterator[Sky]:
    with running(base) as server, astroquery_sdss.conf.set_temp("skyserver_baseurl", server.address):
        yield server


class Clock:
    """Notes what was waited for, and waits for nothing."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)

    @property
    def retries(self) -> list[float]:
        return [seconds for seconds in self.waits if seconds != 1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What `fetch` waits with, from the command line, too."""
    clock = Clock()
    monkeypatch.setitem(fetch.__kwdefaults__, "wait", clock)
    return clock


def as_text(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, dtype={"specobjid": str})


# What comes


@pytest.mark.parametrize(("seed", "count"), [(0, 60), (1, 60), (5, 200)])
def test_the_rows_are_those_of_the_strips_that_the_seed_names(sky, clock, seed, count):
    fetch("real.csv", rows=count, seed=seed)
    pd.testing.assert_frame_equal(as_text(Path("real.csv")), expected(seed, count))
    assert len(sky.requests) == len(set(sky.requests)) and clock.waits == [1] * (len(sky.requests) - 1)
    assert sorted(path.name for path in Path().iterdir()) == ["real.csv", "real.csv.json"]


def test_it_reads_back_with_repeat_spectra_and_exact_ids(sky, clock):
    fetch("real.csv", rows=900)
    frame = load_sdss("real.csv")  # a warning would be an error
    assert len(frame) == 900 and frame["objid"].duplicated().any()
    assert (frame["specobjid"] >= 2**63).any()
    assert [str(one) for one in frame["specobjid"]] == list(expected(0, 900)["specobjid"])
    assert len(split_by_object(frame).test) > 0


def test_an_end_of_the_sky_gives_what_there_is(sky, clock, monkeypatch):
    monkeypatch.setattr(skyserver, "STRIPS", 20)
    got = fetch("real.csv", rows=10**6)
    assert got["rows"] == len(load_sdss("real.csv")) < 1000 and len(sky.requests) == 20


def test_the_sidecar_says_what_was_asked(sky, clock):
    before = datetime.now(UTC) - timedelta(seconds=1)
    got = fetch("real.csv", rows=40, seed=3)
    notes = json.loads(Path("real.csv.json").read_text("utf-8"))
    assert notes == json.loads(json.dumps(got))
    assert notes["sha256"] == hashlib.sha256(Path("real.csv").read_bytes()).hexdigest()
    assert (notes["rows"], notes["seed"], notes["release"]) == (40, 3, 17)
    assert notes["server"] == f"{sky.address}/dr17"
    assert sum(notes["classes"].values()) == 40
    assert before <= datetime.fromisoformat(notes["time"]) <= datetime.now(UTC)
    assert [notes["query"].format(west=west, east=east) for west, east in notes["strips"]] == sky.requests


def test_seeds_lie_apart_and_the_strips_cover_the_sky_once():
    starts = [(400 + 929 * seed) % skyserver.STRIPS for seed in range(skyserver.STRIPS)]
    assert sorted(starts) == list(range(skyserver.STRIPS))


def test_the_query_fits_into_the_address(sky, clock):
    fetch("real.csv", rows=1)  # the server refuses more than 2,048 characters, as SkyServer does
    assert sky.requests


def test_an_answer_that_is_packed_or_in_chunks_is_read(sky, clock):
    def packed(handler):
        text = sky.answer(sky.requests[-1])
        handler.say(gzip.compress(text.encode()), Content_Encoding="gzip")

    def chunks(handler):
        handler.protocol_version = "HTTP/1.1"
        data = sky.answer(sky.requests[-1]).replace("objid,", "objID,", 1).encode()
        pieces = [data[:100], data[100:]]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        handler.say(body, length=False, Transfer_Encoding="chunked")

    sky.faults = [packed, chunks]
    fetch("real.csv", rows=30)
    pd.testing.assert_frame_equal(as_text(Path("real.csv")), expected(0, 30))


# Faults: what the server does, how often it is asked again, and the sentence


def says(*words: object, **settings: object) -> Callable[[Handler], None]:
    return lambda handler: handler.say(*words, **settings)  # type: ignore[arg-type]


def hangs(handler: Handler) -> None:
    handler.server.let_go.wait(20)


def hangs_in_the_body(handler: Handler) -> None:
    handler.say("#Table1\n", more=100)
    handler.wfile.flush()
    handler.server.let_go.wait(20)


def drips(handler: Handler) -> None:
    handler.say("", more=10**6)
    with suppress(OSError):
        while not handler.server.let_go.wait(0.01):
            handler.wfile.write(b"#")


def good(handler: Handler) -> str:
    return handler.server.answer(handler.server.requests[-1])


def half(handler: Handler) -> None:
    """Less than the header says."""
    text = good(handler)
    handler.say(text[: len(text) // 2], more=len(text) - len(text) // 2)


def cut(where: Callable[[str], int]) -> Callable[[Handler], None]:
    """Less than there is, and no header says so."""
    return lambda handler: handler.say(good(handler)[: where(good(handler))], length=False)


def changed(old: str, new: str) -> Callable[[Handler], None]:
    return lambda handler: handler.say(good(handler).replace(old, new))


def bomb(handler: Handler) -> None:
    handler.say(gzip.compress(b"#" * 5_000_000), Content_Encoding="gzip")


def with_float_ids(handler: Handler) -> None:
    table = pd.read_csv(io.StringIO(good(handler).partition("\n")[2]))
    handler.say(table.assign(specobjid=table["specobjid"].astype(float)).to_csv(index=False))


HTML = (
    "<html><head>\n<title>Skyserver Error</title>\n</head><body bgcolor=white>\n<h2>An error occured</h2>"
    "<H3 BGCOLOR=pink><font color=red><br>{}</font></H3></BODY></HTML>\n"
)
JSON = '{"ErrorCode":500,"ErrorType":"InternalServerError","ErrorMessage":"Invalid column name \'clean\'."}'
BUSY = "SkyServer is busy, or was asked too often."
HALF = "SkyServer sent half an answer."
COLUMNS_SENTENCE = "SkyServer sent other columns ("
SLOW = "SkyServer did not answer within 0.2 seconds."
FAULTS = {
    "too many": (says("", status=429), [2, 10, 30], BUSY),
    "too many, come back": (says("", status=429, Retry_After="7"), [7, 10, 30], BUSY),
    "too many, much later": (says("", status=429, Retry_After="5000"), [], BUSY + " It asks to come back in 5000 sec"),
    "too many, nonsense": (says("", status=429, Retry_After="soon"), [2, 10, 30], BUSY),
    "too many, as a table": (
        says('#Table1\nerror_message\n"ERROR: Maximum 60 queries allowed per minute. Rejected query: SELECT"\n'),
        [60, 60, 60],
        BUSY,
    ),
    "closed": (says("<html><body><h1>503 Service Unavailable</h1></body></html>", status=503), [2, 10, 30], BUSY),
    "slow": (hangs, [2, 10, 30], SLOW),
    "slow in the body": (hangs_in_the_body, [2, 10, 30], SLOW),
    "dripping": (drips, [0.1, 0.1, 0.1], "SkyServer did not come to an end within 0.3 seconds."),
    "hangs up": (lambda handler: handler.connection.close(), [2, 10, 30], " cannot be reached: it is down"),
    "internal": (says("<h1>Server Error</h1>", status=500), [2, 10, 30], "with an error (HTTP 500): Server Error."),
    "gateway": (says("", status=502), [2, 10, 30], "SkyServer answered with an error (HTTP 502)."),
    "error page": (says(HTML.format("Not now")), [], "(HTTP 200): Skyserver Error An error occured Not now."),
    "web page": (says("\r\n<!doctype html><style>p {}</style><p>Sorry"), [], "(HTTP 200): Sorry."),
    "SQL error": (says(JSON, status=500), [], "(HTTP 500): Invalid column name 'clean'."),
    "SQL error as a table": (says('error_message\n"error: must be a select"\n'), [], "must be a select"),
    "no such release": (says("", status=404), [], "SkyServer has no Data Release 17 that fetch can ask."),
    "forbidden": (says("No.", status=403), [], "SkyServer answered with an error (HTTP 403): No."),
    "length mismatch": (half, [2, 10, 30], HALF),
    "cut in a row": (cut(lambda text: len(text) - 40), [2, 10, 30], HALF),
    "cut in the last number": (cut(lambda text: len(text) - 2), [2, 10, 30], HALF),
    "cut between rows": (cut(lambda text: text.rindex("\n", 0, -1) + 1), [2, 10, 30], HALF),
    "cut in the header": (cut(lambda text: 50), [], COLUMNS_SENTENCE),
    "empty": (says(""), [2, 10, 30], "SkyServer sent an empty answer."),
    "not gzip": (says("abc", Content_Encoding="gzip"), [2, 10, 30], HALF),
    "other columns": (changed(",u,", ",psfmag_u,"), [], "missing: u."),
    "other order": (changed("objid,ra", "ra,objid"), [], COLUMNS_SENTENCE),
    "ids as floats": (with_float_ids, [], "SkyServer sent a damaged id: specobjid is '"),
    "unknown class": (changed("GALAXY", "NEBULA"), None, "'NEBULA' is an unknown class"),
    "too large": (says("#" * 2_000_001), [], "SkyServer sent more than 2 MB"),
    "bomb": (bomb, [], "SkyServer sent more than 2 MB"),
    "elsewhere": (
        says("", status=302, Location="http://localhost:9/x"),
        [],
        "SkyServer sends us on to localhost:9, and fetch goes to no host but 127.0.0.1:",
    ),
    "in circles": (says("", status=302, Location="/around"), [], "SkyServer could not be asked: TooManyRedirects."),
}


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(skyserver, "MOST_BYTES", 2_000_000)
    return monkeypatch


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_and_leaves_the_old_file(sky, clock, capsys, limits, fault):
    if fault.startswith("slow"):
        limits.setattr(skyserver, "TIMEOUT", 0.2)
    if fault == "dripping":
        limits.setattr(skyserver, "PATIENCE", 0.3)
        limits.setattr(skyserver, "PAUSES", (0.1, 0.1, 0.1))
    answer, retries, sentence = FAULTS[fault]
    Path("real.csv").write_text("old", "utf-8")
    Path("real.csv.json").write_text(notes := json.dumps({"sha256": hashlib.sha256(b"old").hexdigest()}), "utf-8")
    sky.faults = [answer] * 50
    assert main(["fetch", "--out", "real.csv", "--rows", "20"]) == 1
    out, err = capsys.readouterr()
    last = err.splitlines()[-1]
    assert out == "" and "Traceback" not in err
    assert sentence in last and last.endswith(LATER if retries or "later" in fault else WAY_ON), last
    assert [Path(name).read_text("utf-8") for name in ("real.csv", "real.csv.json")] == ["old", notes]
    if retries is not None:
        assert clock.retries == retries
        assert err.count("The next try is in") == len(retries)


@pytest.mark.parametrize("fault", [name for name, (_, retries, _) in FAULTS.items() if retries and name != "dripping"])
def test_a_passing_fault_is_waited_out(sky, clock, limits, fault):
    def waits(seconds: float) -> None:
        clock(seconds)
        if len(clock.retries) == 2:
            limits.setattr(skyserver, "TIMEOUT", 20.0)

    if fault.startswith("slow"):
        limits.setattr(skyserver, "TIMEOUT", 0.2)
    sky.faults = [FAULTS[fault][0]] * 2
    fetch("real.csv", rows=40, wait=waits)
    assert len(clock.retries) == 2
    pd.testing.assert_frame_equal(as_text(Path("real.csv")), expected(0, 40))


def test_a_date_to_come_back_at_is_understood(sky, clock):
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    sky.faults = [says("", status=503, Retry_After=then)]
    fetch("real.csv", rows=1)
    assert 90 < clock.retries[0] <= 100


def test_a_redirect_on_the_same_host_is_followed(sky, clock):
    there = "/dr17/en/tools/search/x_results.aspx?format=csv&searchtool=SQL&cmd="
    sky.faults = [lambda handler: handler.say("", status=302, Location=there + handler.path.partition("cmd=")[2])]
    fetch("real.csv", rows=5)
    pd.testing.assert_frame_equal(as_text(Path("real.csv")), expected(0, 5))


def test_nothing_is_sent_to_another_host(sky, base, clock):
    with running(base) as other:
        sky.faults = [lambda handler: handler.say("", status=302, Location=other.address + handler.path)]
        with pytest.raises(FetchError, match="goes to no host but"):
            fetch("real.csv", rows=5)
    assert other.requests == []


@pytest.mark.parametrize(
    "answer", ["#Table1\n" + ",".join([*COLUMNS, "there_are"]) + "\n", "No objects have been found"]
)
def test_no_rows_is_a_sentence_and_the_search_ends(sky, clock, answer):
    sky.faults = [says(answer)] * 50
    with pytest.raises(FetchError, match=r"found no rows in this part of the sky\. Try another --seed"):
        fetch("real.csv", rows=5)
    assert len(sky.requests) == 10 and not list(Path().iterdir())


def test_a_strip_without_rows_is_passed_over(sky, clock):
    sky.faults = [None, says("No objects have been found")]
    fetch("real.csv", rows=40)
    assert sky.requests[1] not in sky.requests[2:]
    assert len(load_sdss("real.csv")) == 40


def test_the_same_rows_for_another_part_of_the_sky_are_refused(sky, clock):
    sky.faults = [None, lambda handler: handler.say(sky.answer(sky.requests[0]))]
    with pytest.raises(FetchError, match="the same spectra for two parts of the sky"):
        fetch("real.csv", rows=30)
    assert not list(Path().iterdir())


def test_a_server_that_is_not_there_is_one_sentence_at_once(clock, capsys):
    with astroquery_sdss.conf.set_temp("skyserver_baseurl", "http://127.0.0.1:9"):
        assert main(["fetch"]) == 1
    sentence = "127.0.0.1:9 cannot be reached: it is down, or this computer is offline."
    out, err = capsys.readouterr()
    assert out == "" and err.count("cannot be reached") == 1 and err.splitlines()[-1] == f"{sentence} {LATER}"
    assert clock.waits == [] and not list(Path().iterdir())


def test_a_server_that_goes_away_is_waited_for(sky, clock):
    def gone(seconds: float) -> None:
        if not clock.waits:
            sky.shutdown()
            sky.server_close()
        clock(seconds)

    with pytest.raises(FetchError, match=r"cannot be reached: .* goes on with what has come so far"):
        fetch("real.csv", rows=60, wait=gone)
    assert clock.waits == [1, 2, 10, 30]


# Resuming, and being stopped


def test_a_second_call_asks_only_for_what_is_missing(sky, clock):
    stop = says("", status=404)
    sky.faults = [None, None, None, stop]
    with pytest.raises(FetchError, match="The same command goes on with what has come so far"):
        fetch("real.csv", rows=60)
    asked = sky.requests[:3]
    assert not Path("real.csv").exists() and len(list(Path("real.csv.part").iterdir())) == 3
    sky.requests.clear()
    fetch("real.csv", rows=60)
    assert not set(asked) & set(sky.requests)
    pd.testing.assert_frame_equal(as_text(Path("real.csv")), expected(0, 60))
    assert not Path("real.csv.part").exists()


def test_pieces_of_another_release_or_server_are_not_taken(sky, base, clock):
    sky.faults = [None, None, says("", status=404)]
    with pytest.raises(FetchError):
        fetch("real.csv", rows=40)
    with running(base) as other, astroquery_sdss.conf.set_temp("skyserver_baseurl", other.address):
        fetch("real.csv", rows=40)
    assert set(sky.requests[:2]) <= set(other.requests)


def test_a_damaged_piece_is_asked_for_again(sky, clock):
    sky.faults = [None, None, says("", status=404)]
    with pytest.raises(FetchError):
        fetch("real.csv", rows=40)
    for piece in Path("real.csv.part").iterdir():
        piece.write_bytes(piece.read_bytes()[:-30] + b"\xff")
    fetch("real.csv", rows=40)
    pd.testing.assert_frame_equal(as_text(Path("real.csv")), expected(0, 40))


def test_ctrl_c_says_how_to_go_on(sky, capsys, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(fetch.__kwdefaults__, "wait", interrupted)
    assert main(["fetch", "--out", "real.csv", "--rows", "60"]) == 130
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[-1].startswith("Interrupted. The file is as it was. The same command goes on")
    assert [path.name for path in Path().iterdir()] == ["real.csv.part"]


KILLED = """
import os, sys, time, types
from pathlib import Path
sys.modules["sdss_lesson"] = types.ModuleType("sdss_lesson")  # the two rooms that it needs, without torch
sys.modules["sdss_lesson"].__path__ = [sys.argv[3] + "/sdss_lesson"]
from astroquery.sdss import conf
from sdss_lesson.support import skyserver
conf.skyserver_baseurl = sys.argv[1]
steps = int(sys.argv[2])
def step(function):
    def wrapped(*words, **more):
        global steps
        steps -= 1
        if steps < 0:
            print("now", flush=True)
            time.sleep(600)
        return function(*words, **more)
    return wrapped
skyserver.os.fsync = step(os.fsync)
Path.replace = step(Path.replace)
skyserver.fetch("real.csv", rows=3, wait=lambda _: None)
print("done", flush=True)
"""


@pytest.mark.more
def test_killed_at_any_moment_there_is_the_old_file_or_the_new_one(sky, clock):
    fetch("fresh.csv", rows=3)
    new = Path("fresh.csv").read_bytes()
    old, of_old, seen = b"old", {"sha256": hashlib.sha256(b"old").hexdigest()}, set()
    for moment in range(20):
        shutil.rmtree("real.csv.part", ignore_errors=True)
        Path("real.csv").write_bytes(old)
        Path("real.csv.json").write_text(json.dumps(of_old), "utf-8")
        command = [sys.executable, "-c", KILLED, sky.address, str(moment), str(ROOT)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            told = process.stdout.readline()
            if told == b"now\n":
                process.send_signal(signal.SIGKILL)
        seen.add(held := Path("real.csv").read_bytes())
        assert held in (old, new)
        notes = json.loads(Path("real.csv.json").read_text("utf-8"))
        assert notes == of_old or notes["sha256"] == hashlib.sha256(new).hexdigest()
        assert held == old or notes != of_old
        fetch("real.csv", rows=3)  # whenever it was killed, the next one goes on
        assert Path("real.csv").read_bytes() == new
        if told != b"now\n":
            break
    assert told == b"done\n" and seen == {old, new} and moment >= 6


def test_a_call_after_a_kill_takes_away_what_is_left(sky, clock):
    command = [sys.executable, "-c", KILLED, sky.address, "3", str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
    assert {path.suffix for path in Path("real.csv.part").iterdir()} == {".csv", ".part"}
    sky.requests.clear()
    fetch("real.csv", rows=3)
    assert sky.requests == [] and sorted(path.name for path in Path().iterdir()) == ["real.csv", "real.csv.json"]


# The command


def test_the_command_says_what_came_and_how_to_go_on(sky, clock, capsys):
    assert main(["fetch", "--rows", "50", "--seed", "2"]) == 0
    out, _ = capsys.readouterr()
    counts = expected(2, 50)["class"].value_counts()
    classes = ", ".join(f"{counts.get(name, 0)} {name}" for name in ("GALAXY", "QSO", "STAR"))
    file = Path("data/sdss_real.csv")
    assert out == (
        f"{file} holds 50 real rows of SDSS Data Release 17 ({classes}).\nThe lesson on them: make lesson DATA={file}\n"
    )


def test_the_default_release_is_one_that_astroquery_speaks():
    assert astroquery_sdss.conf.default_release >= 17


@pytest.mark.parametrize("words", [["--rows", "0"], ["--release", "16"]])
def test_numbers_that_cannot_be(capsys, words):
    assert main(["fetch", *words]) == 2
    assert "ask for at least 1 row, of release 17 or later." in capsys.readouterr().err


def test_a_file_that_no_fetch_has_written_stays(sky, capsys):
    Path("mine.csv").write_text("mine", "utf-8")
    assert main(["fetch", "--out", "mine.csv"]) == 2
    assert "mine.csv is not as a fetch has written it. Move it away" in capsys.readouterr().err
    assert Path("mine.csv").read_text("utf-8") == "mine" and sky.requests == []


def test_a_file_that_was_changed_since_stays(sky, clock):
    fetch("real.csv", rows=3)
    Path("real.csv").write_text("mine", "utf-8")
    sky.requests.clear()
    with pytest.raises(ValueError, match="is not as a fetch has written it"):
        fetch("real.csv", rows=3)
    assert Path("real.csv").read_text("utf-8") == "mine" and sky.requests == []


def test_a_place_that_cannot_be_written_is_a_sentence(sky, clock, capsys):
    Path("file").touch()
    assert main(["fetch", "--out", "file/real.csv"]) == 1
    _, err = capsys.readouterr()
    assert "cannot be written: " in err and err.rstrip().endswith(WAY_ON) and "Traceback" not in err


def test_without_astroquery_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "astroquery.sdss", None)
    assert main(["fetch"]) == 1
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    needs = next(need for need in extras["sky"] if need.startswith("astroquery"))
    assert f'fetch needs astroquery: pip install "{needs}"' in capsys.readouterr().err


@pytest.mark.more
def test_the_lessons_first_cells_run_on_it(sky, clock, monkeypatch):
    fetch("real.csv", rows=900)
    monkeypatch.setenv("SDSS_LESSON_CSV", str(Path("real.csv").resolve()))
    notebook = json.loads((ROOT / "notebooks" / "00_start_here.ipynb").read_text("utf-8"))
    codes = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    loading = next(number for number, code in enumerate(codes) if "load_sdss(" in code)
    scope: dict[str, object] = {}
    for code in codes[: loading + 1]:
        exec(code, scope)
    frames = [thing for thing in scope.values() if isinstance(thing, pd.DataFrame)]
    assert [len(frame) for frame in frames] == [900]
