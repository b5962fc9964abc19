"""Which folders are on a disk of this machine, told from the kernel's table of mounts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.machine import LOCAL_FUSE, SHARED, Machine, file_system, kind_of, mount_points, state_folders

MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:20 / /proc rw - proc proc rw
40 22 0:41 / /home rw,relatime shared:1 - nfs4 fs1:/home rw,vers=4.2
41 40 0:42 / /home/ann/disk rw - xfs /dev/sdb rw
42 22 0:43 / /homework rw - ext4 /dev/sdc rw
43 22 0:44 / /scratch rw shared:2 master:1 - lustre mds@tcp:/scratch rw,flock
44 22 0:45 / /mnt/my\040data rw - cifs //fs/data rw
45 22 0:46 / /over rw - ext4 /dev/sdd rw
46 45 0:47 / /over rw - gpfs gpfs0 rw
47 22 0:48 / /far rw - fuse.sshfs ann@far:/ rw
48 22 0:49 / /boxes rw - fuse.fuse-overlayfs fuse-overlayfs rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/home", "nfs4"),
        ("/home/ann/winter/.penstock", "nfs4"),
        ("/home/ann/disk", "xfs"),
        ("/home/ann/disk2", "nfs4"),
        ("/homework/ann", "ext4"),
        ("/scratch/a/b/c", "lustre"),
        ("/mnt/my data/x", "cifs"),
        ("/over/x", "gpfs"),
        ("/nowhere/at/all", "ext4"),
    ],
)
def test_the_longest_mount_point_counts_and_of_equal_ones_the_last(folder: str, kind: str) -> None:
    assert file_system(Path(folder), MOUNTS) == kind


def test_without_a_table_of_mounts_every_folder_is_taken_for_local() -> None:
    assert file_system(Path("/home"), "") == ""
    assert kind_of("") is None


def test_a_folder_that_a_link_leads_to_is_judged_by_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    mounts = f"1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / {tmp_path}/real rw - nfs a:/ rw\n"
    assert file_system(tmp_path / "link" / "new", mounts) == "nfs"


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "9p", "afs"]
)
def test_file_systems_of_clusters_are_shared(kind: str) -> None:
    assert kind_of(kind) == SHARED[kind]


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs", "fuseblk", *sorted(LOCAL_FUSE)]
)
def test_disks_of_this_machine_are_not(kind: str) -> None:
    assert kind_of(kind) is None


@pytest.mark.parametrize("kind", ["fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.never-heard-of"])
def test_an_unknown_fuse_file_system_is_taken_for_shared(kind: str) -> None:
    assert kind_of(kind) == kind.removeprefix("fuse.")


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), min_size=1).map(lambda name: f"/{name}")
)
def test_whatever_a_mount_point_is_called_it_is_read_back(point: str) -> None:
    written = "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in point)
    assert list(mount_points(f"1 0 0:1 / {written} rw - nfs a:/ rw")) == [(point, "nfs")]


def test_the_state_is_kept_on_the_first_disk_of_ones_own() -> None:
    folders = [Path("/home/ann/.local/state/penstock"), Path("/var/tmp/penstock-7")]
    assert Machine("login1", MOUNTS, folders).state() == folders[1]
    assert Machine("login1", MOUNTS, folders[:1]).state() is None


def test_people_may_say_where_the_state_is_kept() -> None:
    assert state_folders({"PENSTOCK_STATE": "/ssd/ann"}) == [Path("/ssd/ann")]
    assert state_folders({"XDG_STATE_HOME": "/x"})[0] == Path("/x/penstock")
    assert state_folders({})[0].name == "penstock"


def test_this_machine_knows_its_own_root() -> None:
    assert file_system(Path("/"), Machine.here().mounts)
