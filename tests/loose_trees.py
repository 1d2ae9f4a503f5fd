"""Small trees of RGB-D recordings in loose files, written by a few lines of their own: 16 x 12 pixels, a camera that moves along x."""

import io

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 16, 12


def colour(number=0, width=WIDTH, height=HEIGHT):
    """Plain, told apart by its blue, of which there are 20."""
    return np.full((height, width, 3), (200, 100, 10 * (number % 20)), np.uint8)


def depth(millimetres=2000, width=WIDTH, height=HEIGHT):
    """A wall, with nothing measured in the upper left pixel and twice as far in the lower right one."""
    values = np.full((height, width), millimetres, np.uint16)
    values[0, 0], values[-1, -1] = 0, 2 * millimetres
    return values


def metres(distance):
    """What `depth` stands for."""
    values = np.full((HEIGHT, WIDTH), distance, np.float32)
    values[0, 0], values[-1, -1] = 0, 2 * distance
    return values


def encoded(pixels, kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return out.getvalue()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def shifted(x, turned=True):
    """A camera at x that looks along the world's y, up is z; or one that only moved."""
    pose = np.eye(4)
    if turned:
        pose[:3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    pose[0, 3] = x
    return pose


def rows(matrix):
    return "".join(" ".join(f"{value:.9e}" for value in row) + "\n" for row in matrix)


def intrinsics(focal=15.0):
    return rows([[focal, 0, 7.5], [0, focal + 1, 5.5], [0, 0, 1]])


def turned_left(values):
    """SUN3D's way to store depth."""
    return ((values << 3) | (values >> 13)).astype(np.uint16)


def sun3d(root, name="hotel/scan1", frames=3):
    below = root / name
    for number in range(frames):
        moment = 33_000 * number
        put(below / f"image/{number + 1:07d}-{moment:012d}.jpg", encoded(colour(number), "JPEG"))
        put(below / f"depth/{number + 1:07d}-{moment + 9000:012d}.png", encoded(turned_left(depth(1000 + number))))
    put(below / "intrinsics.txt", intrinsics())
    put(below / "extrinsics/20130101000000.txt", "no numbers: an older file")
    put(below / "extrinsics/20140817195227.txt", "".join(rows(shifted(0.1 * number)[:3]) for number in range(frames)))
    return root


def numbered(below, frames=3, first=0):
    """The frames that 7-Scenes and 3DMatch have alike."""
    for number in range(first, first + frames):
        frame = f"frame-{number:06d}"
        values = depth(1000 + number)
        values[0, 1] = 65535
        put(below / f"{frame}.color.png", encoded(colour(number)))
        put(below / f"{frame}.depth.png", encoded(values))
        put(below / f"{frame}.pose.txt", rows(shifted(0.1 * number)))
    put(below / "Thumbs.db", b"by Windows")
    return below


def seven_scenes(root, frames=3):
    for scene, train, test in (("stairs", (1, 2), (3,)), ("chess", (2,), (1,))):
        for sequence in (*train, *test):
            numbered(root / scene / f"seq-{sequence:02d}", frames)
        put(root / scene / "TrainSplit.txt", "".join(f"sequence{number}\r\n" for number in train))
        put(root / scene / "TestSplit.txt", "".join(f"sequence{number} \n" for number in test))
    return root


def threedmatch(root, scenes=("7-scenes-redkitchen", "sun3d-brown_bm_1"), frames=3):
    for scene in scenes:
        numbered(root / scene / "seq-01", frames)
        put(root / scene / "camera-intrinsics.txt", intrinsics())
    return root


def tum_rgbd(root, name="rgbd_dataset_freiburg1_desk", frames=3):
    """Colour at 0, 0.1, ...; depth 4 ms later; the path at 100 Hz, moving 1 m a second and turned a quarter about x."""
    below, start, half = root / name, 1305031102.0, np.sqrt(0.5)
    times = [start + 0.1 * number for number in range(frames)]
    for number, time in enumerate(times):
        put(below / f"rgb/{time:.6f}.png", encoded(colour(number)))
        put(below / f"depth/{time + 0.004:.6f}.png", encoded(depth(5 * (1000 + number))))
    head = "# {} images\n# file: 'rgbd_dataset.bag'\n# timestamp filename\n"
    put(below / "rgb.txt", head.format("color") + "".join(f"{time:.6f} rgb/{time:.6f}.png\n" for time in times))
    put(below / "depth.txt", head.format("depth") + "".join(f"{time + 0.004:.6f} depth/{time + 0.004:.6f}.png\n" for time in times))
    path = [start + 0.01 * number for number in range(10 * frames)]
    lines = [f"{time:.4f} {time - start:.4f} 0.5000 0.2500 {-half:.6f} 0.0000 0.0000 {half:.6f}\n" for time in path]
    put(below / "groundtruth.txt", "# ground truth trajectory\n# timestamp tx ty tz qx qy qz qw\n" + "".join(lines))
    return root


def matterport3d(root, house="17DRP5sb8fy", frames=3):
    """Both kinds of pictures; the `.conf` has poses of a camera that looks along -z, y up, and counts rows from below."""
    below = root / house
    conf = f"dataset matterport\nn_images {frames}\ndepth_directory undistorted_depth_images\ncolor_directory undistorted_color_images\n"
    for number in range(frames):
        pano, camera, yaw = f"{number // 18:032x}", number // 6 % 3, number % 6
        shown, hidden = f"{pano}_i{camera}_{yaw}.jpg", f"{pano}_d{camera}_{yaw}.png"
        for kind in ("undistorted", "matterport"):
            put(below / f"{kind}_color_images/{shown}", encoded(colour(number), "JPEG"))
            put(below / f"{kind}_depth_images/{hidden}", encoded(depth(4 * (1000 + number))))
        pose = shifted(0.1 * number)
        put(below / f"matterport_camera_poses/{pano}_pose_{camera}_{yaw}.txt", rows(pose))
        put(below / f"matterport_camera_intrinsics/{pano}_intrinsics_{camera}.txt", "16 12 15 16 7.5 4 0.1 -0.2 0 0 0\n")
        opened = pose.copy()
        opened[:3, 1:3] *= -1
        if yaw == 0:
            conf += "intrinsics_matrix 15 0 8  0 16 4  0 0 1\n"
        conf += f"scan {hidden} {shown} {' '.join(f'{value:.9e}' for value in opened.ravel())}\n"
    put(below / f"undistorted_camera_parameters/{house}.conf", conf)
    return root
