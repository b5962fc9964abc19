"""Stands in for the executables of lstchain 0.12.3: refuses options that they do not have, and leaves what they leave.

A raw file with `fail` in it ends with exit code 1, `once` the first time only; others are a line of text each.
"""

import glob
import os
import sys

#: program → its options; those with a dot are of its configuration, and may always be given
OPTIONS = {
    "lstchain_create_drs4_pedestal_file": "input output max-events overwrite progress no-progress",
    "lstchain_create_calibration_file": "input_file output_file pedestal_file systematics_file time_calibration_file"
    " run_summary_file max_events config log-file",
    "lstchain_data_r0_to_dl1": "input-file output-dir pedestal-file calibration-file time-calibration-file"
    " systematic-correction-file config pointing-file run-summary-path max-events pedestal-ids-path",
    "lstchain_dl1ab": "input-file output-file catB-calibration-file max-unusable-pixels config no-image no-pedestal-cleaning",
    "lstchain_check_dl1": "input-file output-dir muons-dir max-cores omit-pdf batch log",
    "lstchain_merge_hdf5_files": "input-dir output-file no-image run-number pattern no-progress skip-checks keys-to-copy",
    "lstchain_merge_muon_files": "input-dir output-file run-number pattern",
    "lstchain_dl1_to_dl2": "input-files output-dir path-models config",
    "lstchain_longterm_dl1_check": "input-dir muons-dir output-file batch",
}


def main() -> None:
    program = os.path.basename(sys.argv[0])
    given = {}
    for word in sys.argv[1:]:
        name, _, value = word.partition("=")
        name = name.lstrip("-")
        if "." not in name and name not in OPTIONS[program].split():
            sys.exit("unrecognized arguments: " + word)
        given[name] = value
    with open("calls.txt", "a", encoding="utf-8") as calls:
        calls.write(" ".join([program, *sys.argv[1:]]) + "\n")
    globals()[program](given)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def lstchain_create_drs4_pedestal_file(given):
    write(given["output"], "pedestal of " + read(given["input"]))


def lstchain_create_calibration_file(given):
    write(given["output_file"], "gains of " + read(given["input_file"]) + read(given["pedestal_file"]))


def lstchain_data_r0_to_dl1(given):
    text, name = read(given["input-file"]), os.path.basename(given["input-file"])
    read(given["calibration-file"]), read(given["pedestal-file"]), read(given["run-summary-path"])
    marker = "tried-" + name
    if "fail" in text or ("once" in text and not os.path.exists(marker)):
        write(marker, "")
        sys.exit("no such event: the file is damaged")
    name = name.replace(".fits.fz", "").replace("LST-1.1", "LST-1")
    write(os.path.join(given["output-dir"], "dl1_" + name + ".h5"), text)
    write(os.path.join(given["output-dir"], "muons_" + name + ".fits"), "no ring\n")


def lstchain_dl1ab(given):
    write(given["output-file"], read(given["input-file"]) + "cleaned by " + read(given["config"]))


def lstchain_check_dl1(given):
    names = sorted(glob.glob(given["input-file"]))
    name = os.path.basename(names[0])
    if not name.startswith("datacheck_"):
        write(os.path.join(given["output-dir"], "datacheck_" + name), "checked\n")
        return
    whole = os.path.join(given["output-dir"], ".".join(name.split(".")[:2]))
    write(whole + ".h5", "".join(map(read, names)))
    write(whole + ".pdf", "report\n")


def merge(given):
    names = sorted(glob.glob(os.path.join(given["input-dir"], given["pattern"])))
    write(given["output-file"], "".join(map(read, names)))


def lstchain_merge_hdf5_files(given):
    merge(given)


def lstchain_merge_muon_files(given):
    merge(given)


def lstchain_dl1_to_dl2(given):
    name = os.path.basename(given["input-files"]).replace("dl1", "dl2", 1)
    write(os.path.join(given["output-dir"], name), read(given["input-files"]))


def lstchain_longterm_dl1_check(given):
    names = sorted(glob.glob(os.path.join(given["input-dir"], "datacheck_dl1_LST-1.Run?????.h5")))
    write(given["output-file"], "".join(map(read, names)))
    write(given["output-file"].replace(".h5", ".html"), "<p>night</p>\n")


if __name__ == "__main__":
    main()
