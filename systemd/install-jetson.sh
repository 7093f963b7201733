#!/usr/bin/env bash
# Install posture-daemon on a Jetson Orin with JetPack 6 (6.1 or newer) or 7.2, or take it off again. docs/jetson.md tells more.
#
#     sudo systemd/install-jetson.sh [--dry-run] [--csi] [--jtop] [--torch-index URL]
#     sudo systemd/install-jetson.sh --uninstall [--purge] [--dry-run]
#
# Each step looks first whether its work is done already. So running it again changes nothing that is in order, goes on where
# it failed, and brings a newer checkout into service. --root DIR takes DIR for /, for tests.
set -euo pipefail
shopt -s inherit_errexit
umask 022 # the service's user must be able to read what root installs

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

action=install csi=no jtop=no dry=no purge=no root='' torch_index=''
number=0 title='' remedy='' changed=no

refuse() { # refuse CODE SENTENCE: nothing was changed
    echo "install-jetson: $2" >&2
    exit "$1"
}

arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) dry=yes ;;
        --csi) csi=yes ;;
        --jtop) jtop=yes ;;
        --uninstall) action=uninstall ;;
        --purge) purge=yes ;;
        --root | --torch-index)
            [ -n "${2-}" ] || refuse 2 "$1 needs a value; --help lists the options."
            if [ "$1" = --root ]; then root=$2; else torch_index=$2; fi
            shift
            ;;
        -h | --help)
            sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        *) refuse 2 "There is no option $1; --help lists them." ;;
        esac
        shift
    done
    [ $purge = no ] || [ $action = uninstall ] || refuse 2 "--purge deletes your data and goes only with --uninstall."
    [ "$csi$jtop$torch_index" = nono ] || [ $action = install ] || refuse 2 "--uninstall goes with --purge, --dry-run and --root only."
}

places() {
    if [ -n "$root" ]; then
        [ -d "$root" ] || refuse 2 "There is no folder $root; --root takes one that stands for /."
        root=$(cd "$root" && pwd)
    else
        PATH=/usr/sbin:/usr/bin:/sbin:/bin # the system's own Python, not somebody's conda
        HOME=/root # some sudo keep that of who called, with its pip.conf and packages
        unset "${!PYTHON@}" "${!XDG_@}" "${!LD_@}" BASH_ENV CDPATH
        [ $dry = yes ] || [ "$(id -u)" = 0 ] || refuse 1 "This changes the system; run it with sudo (or look first, with --dry-run)."
    fi
    HOME_OF_CODE=$root/opt/posture-daemon # not in anybody's home, which the service may not see
    VENV=$HOME_OF_CODE/venv
    PYTHON=$VENV/bin/python
    DATA=$root/var/lib/posture-daemon
    UNIT=$root/etc/systemd/system/posture-daemon.service
    LINKER=$root/etc/ld.so.conf.d/posture-daemon.conf
    COMMAND=$root/usr/local/bin/posture-daemon
    JTOP=$root/usr/local/bin/jtop
    nobody_elses "$root/opt" "$HOME_OF_CODE"
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
    export PYTHONNOUSERSITE=1 # what lies in root's own home would not be there for the service
}

# What root installs and runs must not be changed by anybody else: what they put into such a folder would be run by root.
nobody_elses() {
    local weak
    [ "$(id -u)" = 0 ] || return 0 # with --root
    weak=$(find "$@" -maxdepth 0 \( ! -uid 0 -o -type l -o -perm /022 \) -print -quit 2>/dev/null) || true
    [ -z "$weak" ] || refuse 1 "Others can change $weak, from which root would run the program; take it back with: sudo chown -h root: $weak && sudo chmod go-w $weak"
}

# --- The board ----------------------------------------------------------------------------------------------------------------

look_at_board() {
    local release_file=$root/etc/nv_tegra_release model
    [ -e "$release_file" ] ||
        refuse 1 "This is not a Jetson (there is no /etc/nv_tegra_release); elsewhere use docker/compose.yaml or \`make setup\`."
    model=$(cat "$root/proc/device-tree/model" 2>/dev/null | tr -d '\0\n') || model='of unknown name'
    l4t=$(sed -n 's/^# R\([0-9]*\) (release), REVISION: \([0-9.]*\).*/\1.\2/p' "$release_file")
    case $model in
    *Orin*) ;;
    *) refuse 1 "This script knows the Jetson Orin boards, and this board is \"$model\" (L4T R$l4t); docs/jetson.md tells the steps by hand." ;;
    esac
    choose_jetpack
    [ "$(python3 -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = "$python_version" ] ||
        refuse 1 "$jetpack comes with Python $python_version, but python3 is another one here; set it back (update-alternatives --config python3)."
    echo "$model, $jetpack (L4T R$l4t)"
}

# Versions that users report to work together on an Orin; docs/jetson.md says which. Not tried on a board by us.
choose_jetpack() {
    case $l4t in
    36.[4-9]*)
        jetpack='JetPack 6' python_version=3.10
        index=${torch_index:-https://pypi.jetson-ai-lab.io/jp6/cu126}
        torch=(torch==2.9.1 torchvision==0.24.1)
        libraries=(nvidia-cudss-cu12 nvidia-cusparselt-cu12)
        packages=(python3-venv libgl1 libglib2.0-0 libopenblas0)
        csi_package=libopencv-python
        lock=systemd/requirements-jetpack6.txt csi_lock=$lock # numpy 1, which its libraries are built against
        ;;
    39.*)
        jetpack='JetPack 7.2' python_version=3.12
        # NVIDIA's own index has no PyTorch with kernels for the Orin's GPU here; PyTorch's has.
        index=${torch_index:-https://download.pytorch.org/whl/cu130}
        torch=(torch==2.13.0 torchvision==0.28.0)
        libraries=(nvidia-cudnn-cu13 nvidia-nccl-cu13 nvidia-cusparselt-cu13 nvidia-nvshmem-cu13)
        packages=(python3-venv libgl1 libglib2.0-0t64)
        csi_package=python3-opencv
        lock=requirements.txt csi_lock=systemd/requirements-jetpack7-csi.txt # numpy 1, which Ubuntu's OpenCV is built against
        ;;
    36.*) refuse 1 "L4T R$l4t is JetPack 6.0, whose CUDA is too old for the PyTorch this installs; upgrade to JetPack 6.2 first." ;;
    38.*) refuse 1 "L4T R$l4t is JetPack 7.0 or 7.1, which is for the Thor alone; flash JetPack 6.2 or 7.2." ;;
    [1-9].* | [12][0-9].* | 3[0-5].*) refuse 1 "L4T R$l4t is JetPack 5 or older, with too old a Python; flash JetPack 6.2 or 7.2." ;;
    *) refuse 1 "L4T R${l4t:-(unreadable)} is not known to this script; docs/jetson.md tells the steps by hand." ;;
    esac
}

# --- Steps --------------------------------------------------------------------------------------------------------------------

step() { # step TITLE DONE DO REMEDY: one numbered line; does nothing when DONE says that it is so already
    number=$((number + 1)) title=$1 remedy=$4
    if "$2"; then
        echo "$number. $1: already so"
    elif [ $dry = yes ]; then
        echo "$number. $1"
    else
        echo "$number. $1 ..."
        "$3" # not in a condition, where a failing command inside it would not end it
        changed=yes
    fi
    title=''
}

told_why() { # whatever ends the script within a step comes by here
    local code=$?
    [ -z "$title" ] || echo "install-jetson: step $number ($title) failed. $remedy Running this again resumes at this step." >&2
    exit "$code"
}

never() { false; }
# Isolated (-I): from the current folder, which may be anybody's, from a home or by a variable nothing is loaded.
python() { (cd / && exec "$PYTHON" -I "$@"); }
python_says() { python -c "$@" 2>/dev/null; }
pip() { python -m pip install --quiet "$@"; }

packages_there() {
    local name
    for name in "${packages[@]}"; do
        [ "$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null)" = 'install ok installed' ] || return 1
    done
}

install_packages() {
    local wait=(-o DPkg::Lock::Timeout=300) # a board that was just switched on updates itself
    apt-get -qq "${wait[@]}" update
    DEBIAN_FRONTEND=noninteractive apt-get -qq "${wait[@]}" install --yes --no-install-recommends "${packages[@]}"
}

HAS_GSTREAMER='import cv2, re; raise SystemExit(not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()))'
csi_opencv_there() { python3 -I -c "$HAS_GSTREAMER" 2>/dev/null; }
install_csi_opencv() {
    packages=("$csi_package")
    install_packages
    csi_opencv_there
}

venv_there() { python_says 'import pip'; }
make_venv() { python3 -I -m venv --clear --system-site-packages "$VENV"; }

# Not by importing it, which fails for many reasons: whatever PyTorch with CUDA is there already must stay.
HAS_TORCH='
import importlib.util, pathlib, runpy
torch, vision = map(importlib.util.find_spec, ("torch", "torchvision"))
raise SystemExit(not (vision and runpy.run_path(str(pathlib.Path(torch.origin).parent / "version.py"))["cuda"]))'
torch_there() { python_says "$HAS_TORCH"; }
# Its declared dependencies would bring a second CUDA, which hides JetPack's, or cannot be had for this board at all.
install_torch() { pip --no-deps --index-url "$index" "${torch[@]}"; }

# In the versions that this PyTorch asks for, if it does.
LIBRARIES='
import importlib.metadata as m, re, sys
asked = {re.split(r"[^\w-]", line)[0]: line for line in m.requires("torch") or []}
print(*(asked.get(name, name) for name in sys.argv[1:]), sep="\n")'
FOLDERS='
import importlib.metadata as m, sys
files = (file for name in sys.argv[1:] for file in m.files(name) or [] if ".so" in file.name)
print(*sorted({str(file.locate().resolve().parent) for file in files}), sep="\n")'
libraries_there() {
    local folders
    folders=$(python_says "$FOLDERS" "${libraries[@]}") && { [ "$jetpack" != 'JetPack 6' ] || [ "$folders" = "$(cat "$LINKER" 2>/dev/null)" ]; }
}
install_libraries() {
    python -c "$LIBRARIES" "${libraries[@]}" >"$HOME_OF_CODE/libraries.txt"
    pip --no-deps --requirement "$HOME_OF_CODE/libraries.txt"
    [ "$jetpack" = 'JetPack 6' ] || return 0 # PyTorch's own wheels find them; NVIDIA's for JetPack 6 ask the linker
    mkdir -p "$(dirname "$LINKER")"
    python -c "$FOLDERS" "${libraries[@]}" >"$LINKER"
    ldconfig
}

code_id() { # changes when the checkout, its lock file or a choice does
    (cd "$CHECKOUT" && find posture_daemon pyproject.toml requirements.txt systemd -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; echo "csi $csi") |
        sha256sum
}
# What root needs of a checkout in somebody's home is read and built with their rights: no link in it reaches what is root's.
own_checkout() { [ "$(id -u)" != 0 ] || [ "$(stat -c %u "$CHECKOUT")" = 0 ]; }
as_owner() {
    if own_checkout; then
        "$@"
    else
        (cd / && exec setpriv --reuid="$(stat -c %u "$CHECKOUT")" --regid="$(stat -c %g "$CHECKOUT")" --clear-groups --no-new-privs "$@")
    fi
}
# The tool that builds it (hatchling) is fetched for the moment by pip, in a version of pip's choice, without a hash.
install_checkout() {
    local wheels
    if own_checkout; then
        pip --no-deps "$CHECKOUT"
        return
    fi
    wheels=$(mktemp -d)
    chown --reference="$CHECKOUT" "$wheels"
    as_owner env HOME="$wheels" "$PYTHON" -I -m pip wheel --quiet --no-deps --wheel-dir "$wheels" "$CHECKOUT"
    pip --no-deps --force-reinstall "$wheels"/posture_daemon-*.whl
    rm -rf "$wheels"
}

# Of the lock file (made by `make lock`), each package with its hashes; an entry goes on for as long as its lines end in a backslash.
locked() {
    local show=(cat)
    [ $csi = no ] || show=(sed '/^opencv-python==/,/[^\\]$/d')
    as_owner "${show[@]}" "$CHECKOUT/$lock"
}
code_there() { [ "$(cat "$HOME_OF_CODE/installed" 2>/dev/null)" = "$(code_id)" ] && python_says 'import posture_daemon'; }
install_code() {
    [ $csi = no ] || lock=$csi_lock
    locked >"$HOME_OF_CODE/requirements.txt"
    # Ready-made wheels only: to build one, pip would fetch tools that have no hash.
    pip --no-deps --require-hashes --only-binary=:all: --requirement "$HOME_OF_CODE/requirements.txt"
    # No hash: its version has to be that of the board's own service. It may bring what it needs, which nothing else asks for.
    pip 'jetson-stats>=4.3'
    install_checkout
    [ $csi = no ] || python -m pip uninstall --quiet --yes opencv-python # from an installation without --csi
    [ $csi = no ] || touch "$HOME_OF_CODE/csi"
    code_id >"$HOME_OF_CODE/installed"
}

jtop_there() { [ -e "$root/etc/systemd/system/jtop.service" ]; }
install_jtop() { # its unit wants /usr/local/bin/jtop; the same package for service and daemon, since versions must match
    mkdir -p "$(dirname "$JTOP")"
    ln -sfn "$VENV/bin/jtop" "$JTOP"
    groupadd --force jtop
    "$VENV/bin/jtop" --install-service
    rm -f "$HOME_OF_CODE/in-service" # the service needs its group
}

service_there() { [ -e "$UNIT" ] && cmp -s "$HOME_OF_CODE/installed" "$HOME_OF_CODE/in-service"; }
install_service() {
    local camera=() # known to it, the service gets what a CSI camera needs
    [ $csi = no ] || camera=(env POSTURE_CAMERA__ADDRESS=csi://0)
    "${camera[@]}" "$VENV/bin/posture-daemon" service install ${root:+--root "$root"}
    cp "$HOME_OF_CODE/installed" "$HOME_OF_CODE/in-service"
}

as_service() { (cd / && exec runuser -u posture-daemon -- "$@"); } # with its groups, which decide about camera and GPU
check_csi() { as_service "$PYTHON" -I -c "$HAS_GSTREAMER"; }
check_device() { as_service "$VENV/bin/posture-daemon" --data-dir "$DATA" doctor; }
# A build for another GPU says that CUDA is available, and fails at the first real operation.
ON_GPU='
import torch, torchvision
a = torch.rand(64, 64, device="cuda")
boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device="cuda")
torchvision.ops.nms(boxes, torch.ones(1, device="cuda"), 0.5)
print("   PyTorch", torch.__version__, "computes on", torch.cuda.get_device_name(0), float((a @ a).sum()) > 0)'
check_gpu() { as_service "$PYTHON" -I -c "$ON_GPU"; }

install() {
    look_at_board
    [ ! -e "$HOME_OF_CODE/csi" ] || csi=yes # once chosen, an update without the option keeps it
    local network='Is the network there, and space on the disk (df -h /opt)?'
    step "Install Ubuntu's packages ${packages[*]}" packages_there install_packages "$network"
    [ $csi = no ] || step "Keep the system's OpenCV, which has GStreamer for CSI cameras, or install $csi_package" csi_opencv_there install_csi_opencv \
        "A CSI camera needs an OpenCV with GStreamer for python3; docs/jetson.md tells more."
    step "Make a Python environment in /opt/posture-daemon/venv that sees the system's packages" venv_there make_venv "$network"
    step "Install PyTorch for $jetpack (${torch[*]}) from $index" torch_there install_torch "$network"
    step "Install the libraries it needs and JetPack lacks (${libraries[*]})" libraries_there install_libraries "$network"
    step "Install posture-daemon and what it needs, by the lock file$([ $csi = no ] || echo ', without OpenCV')" code_there install_code "$network"
    [ $jtop = no ] || step "Start jetson-stats (jtop.service)" jtop_there install_jtop "posture-daemon does without it: leave --jtop out."
    step "Install and start the service (posture-daemon service install)" service_there install_service \
        "\`journalctl -u posture-daemon -n 50\` tells why it did not start."
    checks
    finish
}

checks() { # looking changes nothing
    local before=$changed
    [ $csi = no ] || step "Check that OpenCV has GStreamer" never check_csi "docs/jetson.md tells how to let JetPack's OpenCV show through."
    step "Check the device (posture-daemon doctor)" never check_device "Mend what it marks with !!; docs/troubleshooting.md goes by symptom."
    step "Check that PyTorch computes on the GPU" never check_gpu \
        "The service runs all the same: only \`compare\` and \`train --strategy\` use PyTorch. docs/jetson.md tells what to try."
    changed=$before
}

finish() {
    if [ $dry = yes ]; then
        echo "Nothing was changed: this was the plan."
    elif [ $changed = no ]; then
        echo "Everything was in place; nothing was changed."
    else
        echo "Installed. docs/owner.md tells what to do first, and what it is doing."
    fi
}

# --- Undo ---------------------------------------------------------------------------------------------------------------------

service_gone() { [ ! -e "$UNIT" ]; }
remove_service() {
    if [ -x "$VENV/bin/posture-daemon" ] && "$VENV/bin/posture-daemon" service uninstall ${root:+--root "$root"}; then return; fi
    echo "   posture-daemon itself cannot do that any more; removed by hand"
    systemctl disable --now posture-daemon.service || true
    rm -rf "$UNIT" "$UNIT.d" "$root/etc/sysusers.d/posture-daemon.conf"
    [ "$(readlink "$COMMAND")" != "$VENV/bin/posture-daemon" ] || rm "$COMMAND"
    systemctl daemon-reload
}

jtop_not_ours() { [ "$(readlink "$JTOP" 2>/dev/null)" != "$VENV/bin/jtop" ]; }
remove_jtop() {
    systemctl disable --now jtop.service || true
    rm -f "$root/etc/systemd/system/jtop.service" "$root/etc/profile.d/jtop_env.sh" "$JTOP"
    systemctl daemon-reload
    groupdel jtop || true
}

linker_gone() { [ ! -e "$LINKER" ]; }
remove_linker() {
    rm -f "$LINKER"
    ldconfig
}

code_gone() { [ ! -e "$HOME_OF_CODE" ]; }
remove_code() { rm -rf "$HOME_OF_CODE"; }

data_gone() { # where the data lie on a mount of their own, its point stays
    { [ ! -e "$DATA" ] || { mountpoint -q "$DATA" && [ -z "$(ls -A "$DATA")" ]; }; } && [ ! -e "$root/etc/posture-daemon.toml" ]
}
remove_data() { # then their owner: files without one would belong to whoever gets the number next
    if mountpoint -q "$DATA"; then find "$DATA" -mindepth 1 -delete; else rm -rf "$DATA"; fi
    rm -f "$root/etc/posture-daemon.toml"
    if id posture-daemon >/dev/null 2>&1; then userdel posture-daemon; fi
}

uninstall() {
    local again='Nothing of your data is touched before the last step.'
    step "Stop and remove the service (posture-daemon service uninstall)" service_gone remove_service "$again"
    step "Remove jetson-stats, if this script installed it" jtop_not_ours remove_jtop "$again"
    step "Remove the linker's entry /etc/ld.so.conf.d/posture-daemon.conf" linker_gone remove_linker "$again"
    step "Remove /opt/posture-daemon" code_gone remove_code "$again"
    [ $purge = no ] || step "Delete your data (/var/lib/posture-daemon), /etc/posture-daemon.toml and the service's user" data_gone remove_data "$again"
    if [ $dry = yes ]; then
        echo "Nothing was changed: this was the plan."
    elif [ $changed = no ]; then
        echo "There was nothing to remove."
    else
        echo "Removed. Ubuntu's packages stay, since other programs may use them."
    fi
    [ $purge = yes ] || [ ! -e "$DATA" ] || echo "Your data stays in /var/lib/posture-daemon; --uninstall --purge deletes it."
}

arguments "$@"
places
trap told_why EXIT
"$action"
