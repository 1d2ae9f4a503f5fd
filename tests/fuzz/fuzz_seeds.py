"""Seeds of the fuzzing targets, made by code: every dialect a reader knows, small, so that the fuzzer starts beyond the first refusal."""

import gzip
import io
import json
import zipfile

import numpy as np
from completion_trees import complete_field, field_bytes, scan_file
from loose_trees import colour, depth, encoded, intrinsics, rows, shifted
from match_trees import HEADER as MATCH_HEADER
from match_trees import lists as match_lines
from mesh_bytes import (
    CATALOG,
    FACES,
    GLB,
    OBJ,
    OFF,
    PLY,
    ROWS,
    V_LINES,
    VERTICES,
    archive,
    binary_ply,
    binary_stl,
    catalog,
    glb,
    gltf_binary,
    gltf_tree,
    ply_header,
    text_stl,
)
from picture_bytes import digit_json, idx_images, idx_labels, png, python2_batch, raw_png
from PIL import Image
from scannet_tree import GROUPS, OLD_TABLE, SEGMENTS, TABLE
from sens_bytes import HEIGHT, WIDTH, frame, header, plain_colour, sens
from torch_bytes import name, older, pickled, storage, tensor, text, zipped


def obj():
    return [
        OBJ,
        b"\xef\xbb\xbfmtllib a.mtl\r\no box\r\n" + OBJ.replace(b"\n", b"\r\n"),
        V_LINES + b"vt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3//1 4/1\nf -4 -3 \\\n-2 # relative\ng a\nusemtl x\ns off\nl 1 2\n",
        b"v 1e-6 nan 1e999 1.0\n" * 3 + b"f 1 2 3\nmtllib ../../x.mtl\n",
    ]


def coloured():
    surface = V_LINES + b"mtllib a.mtl\nvt 0 0\nvt 1 0.5\nusemtl wood\nf 1/1 2/2 3/-1\nusemtl red\nf 1 2 4\n"
    picture = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(picture, "PNG")
    return [
        surface + b"\0newmtl wood\nKd 0.5 1 0\nmap_Kd a.png\nnewmtl red\nKd 1 0 0\n\0" + picture.getvalue(),
        surface + b"\0newmtl wood\nmap_Kd -s 1 1 1 ../a.png\n\0GIF89a",
    ]


def sens_files():
    depth = np.full((HEIGHT, WIDTH), 2000, np.uint16)
    return [sens(2), header(1, codecs=(2, 0)) + frame(np.eye(4), plain_colour(), depth, compress=bytes)]


def depths():
    return [encoded(depth()), encoded(depth().astype(np.uint8)), encoded(colour())]


def poses():
    raw = "16 12 15 16 7.5 4 0.1 -0.2 0 0 0\n"
    lost = rows(np.full((4, 4), -np.inf)) + "-1.#IND 1.#QNAN\n"
    return [text.encode() for text in (rows(shifted(1.5)), rows(shifted(0)[:3]), lost, intrinsics(), raw)]


def tum_lists():
    shown = "# color images\n# timestamp filename\n1305031102.175304 rgb/1305031102.175304.png\n1305031102.2,rgb/b.png\n"
    hidden = "1305031102.160407 depth/1305031102.160407.png\n1305031102.21 ../x.png\n"
    path = "# timestamp tx ty tz qx qy qz qw\n1305031102.1758 1.34 0.62 1.65 0.65 0.61 -0.29 -0.32\n1305031102.2 nan 0 0 0 0 0 1\n"
    return ["\0".join(parts).encode() for parts in ((shown, hidden.splitlines()[0], path), (shown, hidden, path))]


def confs():
    lines = f"intrinsics_matrix 15 0 8  0 16 4  0 0 1\nscan a_d0_0.png a_i0_0.jpg {' '.join(['0'] * 16)}\n"
    head = "dataset matterport\nn_images 2\ndepth_directory undistorted_depth_images\ncolor_directory undistorted_color_images\n"
    good = f"scan a_d0_1.png a_i0_1.jpg {' '.join(map(str, shifted(2).ravel()))}\n"
    return [(head + lines + good).encode(), (head + good).encode(), (lines + "scan ../x.png b.jpg nan\n").encode()]


def disparities():
    text = b"cam0=[20 0 1; 0 20 1; 0 0 1]\ncam1=[20 0 2.5; 0 20 1; 0 0 1]\ndoffs=1.5\nbaseline=250\n\0"
    values = np.array([[1, 2, np.inf], [0, np.nan, 5]], np.float32)
    packed, grey = io.BytesIO(), io.BytesIO()
    np.savez_compressed(packed, values)
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(grey, "PNG")
    headers = {b"Pf\n3 2\n-1.0\n": "<f4", b"Pf 3 2 1 ": ">f4"}
    pfm = [header + values[::-1].astype(order).tobytes() for header, order in headers.items()]
    return [text + one for one in (*pfm, packed.getvalue(), grey.getvalue())]


def match_lists():
    first, second = ("\n".join(some) for some in match_lines())
    sized = MATCH_HEADER.replace("\n\n", "\npictures 640x480\n")
    strange = second.replace("30", "3e1").replace("256", "255").replace("4.5", "nan")
    texts = (
        (MATCH_HEADER + first, MATCH_HEADER + second),
        (sized + first + "\n\n", sized + second),
        (MATCH_HEADER + first, MATCH_HEADER + strange),
    )
    return ["\0".join(two).encode() for two in texts]


def distance_fields():
    return [field_bytes(complete_field()), field_bytes(complete_field() - 2), field_bytes(complete_field(), sides=(33, 32, 32))]


def scan_rows():
    stream = io.BytesIO()
    scan_file(stream, 1, compression="gzip")
    return [stream.getvalue()]


def labels():
    files = [json.dumps({"segIndices": SEGMENTS}), json.dumps({"segGroups": GROUPS})]
    return ["\0".join([*files, table]).encode() for table in (TABLE, OLD_TABLE)]


def off():
    return [OFF, b"OFF4 1 0\n" + ROWS + b"4 0 1 2 3 255 0 0\n", b"COFF # comment\n\n3 1 0\n" + ROWS[:18] + b"3 0 1 2\n", b"STNOFF 1 1 1\n"]


def ply():
    both = ply_header("ascii", face="property list uchar float texcoord\n", faces=1) + ROWS + b"3 0 1 2 6 0 0 1 0 0 1\n"
    strange = b"comment TextureFile ../x.png\nelement edge 1\nproperty int vertex1\nelement vertex"
    return [
        PLY,
        both,
        binary_ply("<"),
        binary_ply(">"),
        binary_ply("<", [*FACES, [0, 1, 2, 3], [0, 1]]),
        PLY.replace(b"\n", b"\r\n"),
        PLY.replace(b"element vertex", strange, 1),
        ply_header("binary_little_endian", 0, 1, corners="int uint vertex_index"),
    ]


def stl():
    return [binary_stl(), binary_stl(head=b"solid by code"), text_stl(), text_stl().upper(), binary_stl(count=9)]


def gltf():
    strip = [{"primitives": [{"attributes": {"POSITION": 0}, "mode": mode} for mode in (0, 4, 5, 6)]}]
    zeros = {"componentType": 5126, "count": 4, "type": "VEC3"}
    sparse = {"count": 1, "indices": {"bufferView": 1, "componentType": 5123}, "values": {"bufferView": 0}}
    placed = [
        {"children": [1, 2], "rotation": [0, 0, 0.7, 0.7], "scale": [1, -1, 1]},
        {"mesh": 0, "translation": [1, 2, 3]},
        {"mesh": 0, "matrix": [*range(16)]},
    ]
    accessors = gltf_tree()["accessors"]
    data = [{"uri": "data:application/octet-stream;base64," + "A" * 96, "byteLength": 72}]
    return [
        GLB,
        glb(gltf_tree(meshes=strip), gltf_binary()),
        glb(gltf_tree(nodes=placed, images=[{"uri": "../x.png"}]), gltf_binary()),
        glb(gltf_tree(accessors=[{**zeros, "sparse": sparse}, accessors[1]]), gltf_binary()),
        glb(gltf_tree(accessors=[{**accessors[0], "componentType": 5120, "normalized": True}, accessors[1]]), gltf_binary()),
        glb(gltf_tree(buffers=data)),
    ]


def archives():
    listed = catalog("/a/x.obj", "b.obj", "../c.obj") + b"modelRotation#2=1 0 0 0 0 1 0 -1 0\n"
    members = {CATALOG: listed, "a/x.obj": OBJ, "b.obj": OBJ}
    return [archive(members, zipfile.ZIP_STORED), archive(members), archive({"readme": b"no catalog"}, zipfile.ZIP_STORED)]


def catalogs():
    return [
        catalog("a.obj", "/a.obj") + b"modelRotation#1=1 0 0 0 0 1 0 -1 0\n",
        b"id#1=x#y\nmodel#1=a.obj\nwidth#1=1e-9\ndepth#1=2\nheight#1=nan\n",
    ]


def properties():
    return [catalog("/a/x.obj"), b"# c\n! c\r\na\\ b\\=c : d\\\n  e\\u00e9\\t\nkey\nname=\\u12\n", "naïve=ü\n".encode("latin-1")]


def materials():
    return [
        b"newmtl a\nKd 1 1 1\nmap_Kd -s 1 1 1 ../../x.png\nbump C:\\x y.png\n",
        b"map_Ks /etc/x\rdisp file:///x\nrefl a/../../b\nnorm a.png\n",
    ]


def hdf5():
    import h5py

    seeds = []
    for options in (
        {},
        {"compression": "gzip"},
        {"compression": "lzf", "shuffle": True, "fletcher32": True},
        {"track_times": False, "libver": "latest"},
    ):
        stream = io.BytesIO()
        version = {"libver": options.pop("libver")} if "libver" in options else {}
        with h5py.File(stream, "w", **version) as file:
            file.create_dataset("data", data=np.float32(VERTICES)[None], **options)
            file.create_dataset("normal", data=np.float32(VERTICES)[None], **options)
            file["label"] = np.zeros((1, 1), np.uint8)
        seeds.append(stream.getvalue())
    return seeds


def table():
    return [b"0,0,0,0,0,1\n1,2,3,1,0,0\n", b"0.5,1e-3,nan\n", b"1,2\n\n3,4\n"]


def parts():
    return [b"0 0 0\n1 0 0\n0 1 0\n\x001\n2\n4\n", b"0 0 0\n\x009\n"]


def things():
    good = b"-15.609 39.505 0.500 134 134 121\n-15.6 39.4 0.5 1 2 255\n"
    return [
        good + b"\0" + good.replace(b"39.4", b"39\x104"),
        good + b"\0",
        b"\0" + good.replace(b"\n", b"\r\n\n"),
        b"1 2 3 4 5 256\n\0nan 1 2 3 4 5\n",
    ]


def pictures():
    return [png(), png(6, 5, 4), png(6, 5, 1, kind="JPEG"), raw_png(5, 6, 16, 2, bytes(186)), raw_png(30_000, 30_000, 8, 2)]


def idx_files():
    return [idx_images(2), gzip.compress(idx_images(1)), idx_labels(), idx_images(1, side=2)]


def digits():
    return [digit_json(0, 1)[0], b'{"data": [0, 1, 0.5, NaN]}', b'{"data": {"data": []}}']


def batches():
    return [python2_batch((3,))[0], bytes([9]) + bytes(3072)]


def tensor_pickles():
    two = pickled(x=tensor(), y=tensor(storage("LongStorage", "1", 2), shape=(), stride=()))
    parameter = name("torch._utils", "_rebuild_parameter") + b"(" + tensor() + b"\x88]tR"
    wrapped = b"\x80\x02}(" + text("epoch") + b"K\x03" + text("state_dict") + two[2:-1] + b"u."
    frames = b"\x80\x04\x95\xff\0\0\0\0\0\0\0" + wrapped[2:-1].replace(b"K\x03", b"]\x94(h\0G?\xf0\0\0\0\0\0\0Ne") + b"."
    return [two, wrapped, frames, pickled(x=parameter), pickled(x=name("os", "system") + b"(" + text("true") + b"tR")]


def checkpoints():
    half = pickled(x=tensor(storage("BFloat16Storage", "0", 12), shape=(3, 4), stride=(1, 3)))
    return [*map(zipped, tensor_pickles()), zipped(half), older(pickled(x=tensor())), older(half, (("0", 12, bytes(24)),))]


def lists():
    return [json.dumps(["shape_data/02691156/abc", "shape_data/02691156/d"]).encode(), b"[]", b'{"a": [1]}', b'["\\ud800"]']
