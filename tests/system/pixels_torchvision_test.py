"""What ImageTransform makes of an image, step by step, against torchvision's functions; in grey levels of 255.

Crops and resizes (antialiased), flips, brightness, contrast, saturation and normalisation: float images, equal within 0.01
levels, which is the rounding of float32. Rotations: within 0.01 too, but for the rim, where torchvision puts black and this
continues the edge. RandAugment's operations: uint8 images, equal but for one level of 1 % of the values, which lie on
the border between two, and for 0.5 % of the pixels that are moved. A crop of stored pixels on which torchvision rounds to uint8 in between: within 1 level.
"""
import json
import math
import os
import subprocess

import support
from support import SystemTest

numpy = support.needed("numpy")
torch = support.needed_torch("torch")
support.needed_torch("torchvision")
from torchvision.transforms import InterpolationMode, v2  # noqa: E402
from torchvision.transforms.v2 import functional as F  # noqa: E402

CLOSE = 0.01
HEIGHT, WIDTH, SIDE = 90, 70, 48
MOVING = ("ShearX", "ShearY", "Rotate")  # a pixel half-way between two may come from either


def picture(height, width, channels, seed):
    """Waves, an edge and noise."""
    draws = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    waves = [110 + 60 * numpy.sin(x / (7 + c) + c) + 40 * numpy.cos(y / (9 - c)) for c in range(channels)]
    pixels = numpy.stack(waves, axis=-1) + 40 * (x > y)[..., None] + draws.integers(-25, 26, (height, width, channels))
    return pixels.clip(0, 255).astype(numpy.uint8)


def own_units(name, amount):
    """torchvision's amount of an operation as ImageOpDraw has it."""
    if name in ("Brightness", "Color", "Contrast", "Sharpness"):
        return 1 + amount
    return {"TranslateX": amount / SIDE, "TranslateY": amount / SIDE, "Solarize": 255 * amount}.get(name, amount)


def tensor(pixels):
    return torch.from_numpy(numpy.ascontiguousarray(pixels)).permute(2, 0, 1)


def image(values):
    return values.permute(1, 2, 0).numpy()


class PixelsAgainstTorchvision(SystemTest):
    def setUp(self):
        super().setUp()
        self.pictures = {channels: picture(HEIGHT, WIDTH, channels, channels) for channels in (1, 3)}
        self.square = {channels: picture(SIDE, SIDE, channels, 7 + channels) for channels in (1, 3)}

    def apply(self, pixels, works, side=SIDE, mean=0, std=1):
        """The slots that ImageTransform makes: float [side, side, channels], or uint8 where a work says bytes."""
        height, width, channels = pixels.shape
        (self.folder / "image").write_bytes(pixels.tobytes())
        full = [dict(image=str(self.folder / "image"), shape=pixels.shape, side=side, mean=[mean] * channels,
                     std=[std] * channels, output=str(self.folder / f"slot{i}"), **{"crop": [0, 0, height, width], **work})
                for i, work in enumerate(works)]
        (self.folder / "work.json").write_text(json.dumps(full))
        done = subprocess.run([os.environ["LOCKSTEP_PIXEL_STEPS"], self.folder / "work.json"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        kind = lambda work: numpy.uint8 if work.get("bytes") else numpy.float32
        return [numpy.fromfile(work["output"], kind(work)).reshape(side, side, channels) for work in full]

    def expect_close(self, mine, theirs, tolerance, what):
        self.assertLessEqual(numpy.abs(mine.astype(float) - theirs).max(), tolerance, what)

    def crops(self, count):
        """Boxes as torchvision draws them for its RandomResizedCrop."""
        torch.manual_seed(5)
        like = torch.empty(3, HEIGHT, WIDTH)
        return [v2.RandomResizedCrop.get_params(like, (0.05, 1), (0.5, 2)) for _ in range(count)]

    def test_random_resized_crops(self):
        boxes = self.crops(40) + [(0, 0, HEIGHT, WIDTH), (3, 5, SIDE, SIDE), (0, 0, 1, 1), (89, 69, 1, 1), (10, 0, 2, 70)]
        for channels, pixels in self.pictures.items():
            for side in (SIDE, 100, 7):
                slots = self.apply(pixels, [dict(crop=box) for box in boxes], side)
                for box, slot in zip(boxes, slots):
                    theirs = F.resized_crop(tensor(pixels).float(), *box, [side, side], antialias=True)
                    self.expect_close(slot, image(theirs), CLOSE, f"{box} to {side}")

    def test_bytes_are_torchvision_s_within_a_level(self):
        boxes = self.crops(20)
        for channels, pixels in self.pictures.items():
            slots = self.apply(pixels, [dict(crop=box, bytes=True) for box in boxes])
            for box, slot in zip(boxes, slots):
                theirs = F.resized_crop(tensor(pixels), *box, [SIDE, SIDE], antialias=True)
                self.expect_close(slot, image(theirs), 1, box)

    def test_flips_and_normalisation(self):
        for channels, pixels in self.pictures.items():
            works = [dict(flip=a, vertical_flip=b) for a in (False, True) for b in (False, True)]
            for work, slot in zip(works, self.apply(pixels, works, mean=117.5, std=51.25)):
                theirs = F.resize(tensor(pixels).float(), [SIDE, SIDE], antialias=True)
                theirs = F.horizontal_flip(theirs) if work["flip"] else theirs
                theirs = F.vertical_flip(theirs) if work["vertical_flip"] else theirs
                theirs = F.normalize(theirs, [117.5] * channels, [51.25] * channels)
                self.expect_close(slot, image(theirs), CLOSE / 51.25, work)

    def test_warps(self):
        """The rim that torchvision fills differently is left out: where a picture of ones does not stay one."""
        warps = [dict(rotation=10), dict(rotation=-33), dict(scale=1.3), dict(scale=0.8), dict(shift_x=0.125),
                 dict(shift_y=-0.25), dict(rotation=20, scale=1.1, shift_x=0.25, shift_y=0.125)]
        for channels, pixels in self.square.items():
            works = [{**warp, "rotation": math.radians(warp.get("rotation", 0))} for warp in warps]
            for warp, slot in zip(warps, self.apply(pixels, works)):
                def theirs(values):
                    # torchvision turns clockwise and shifts by pixels
                    return image(F.affine(values, angle=-warp.get("rotation", 0), scale=warp.get("scale", 1), shear=[0, 0],
                                          translate=[SIDE * warp.get("shift_x", 0), SIDE * warp.get("shift_y", 0)],
                                          interpolation=InterpolationMode.BILINEAR))
                inside = theirs(torch.ones(channels, SIDE, SIDE)) > 1 - 1e-4
                self.assertGreater(inside.mean(), 0.4, warp)
                difference = numpy.abs(slot - theirs(tensor(pixels).float()))[inside]
                self.assertLessEqual(difference.max(), CLOSE, warp)

    def test_colours(self):
        whole = dict(crop=[0, 0, SIDE, SIDE])
        for channels, pixels in self.square.items():
            values = tensor(pixels).float() / 255
            for factor in (0.6, 0.9, 1.2, 1.7):
                for name, function in (("brightness", F.adjust_brightness), ("contrast", F.adjust_contrast),
                                       ("saturation", F.adjust_saturation)):
                    slot = self.apply(pixels, [{name: factor, **whole}])[0]
                    # torchvision's weights of luminance have four digits and 0.2989 for red
                    self.expect_close(slot, 255 * image(function(values, factor)), 0.05, f"{name} {factor}")
            slot = self.apply(pixels, [dict(brightness=1.3, contrast=0.7, saturation=1.4, **whole)])[0]
            theirs = F.adjust_saturation(F.adjust_contrast(F.adjust_brightness(values, 1.3), 0.7), 1.4)
            self.expect_close(slot, 255 * image(theirs), 0.05, "all three")

    def test_randaugment_s_operations_with_torchvision_s_ranges(self):
        """Names, ranges and signs from torchvision's own table of them."""
        space = v2.RandAugment._AUGMENTATION_SPACE
        self.assertEqual(len(space), 14)
        theirs = v2.RandAugment()
        for channels, pixels in self.square.items():
            for name, (magnitudes, signed) in space.items():
                for magnitude in (0, 3, 9, 17, 30):
                    for sign in (1, -1) if signed else (1,):
                        values = magnitudes(31, SIDE, SIDE)
                        amount = 0.0 if values is None else float(values[magnitude]) * sign
                        expected = theirs._apply_image_or_video_transform(tensor(pixels), name, amount,
                                                                          InterpolationMode.NEAREST, {torch.Tensor: None})
                        ops = [[name, magnitude, sign], [name, magnitude, 0, own_units(name, amount)]]
                        ours, same_amount = (numpy.abs(slot.astype(int) - image(expected)) for slot in
                                             self.apply(pixels, [dict(ops=[op], bytes=True) for op in ops]))
                        what = f"{name} {magnitude}·{sign}, {channels} channels"
                        # torchvision's amounts are float32: a level on the border between two falls to either side
                        if name not in MOVING:
                            self.assertLessEqual(max(ours.max(), same_amount.max()), 1, what)
                        self.assertLessEqual((ours > 0).mean(), 0.005 if name in MOVING else 0.03, what)
                        self.assertLessEqual((same_amount > 0).mean(), 0.005 if name in MOVING else 0.01, what)

    def test_randaugment_on_special_pictures(self):
        """One level only, two levels, few pixels of the highest level."""
        flat = numpy.full((SIDE, SIDE, 3), 77, numpy.uint8)
        two = flat.copy()
        two[:SIDE // 3] = 180
        for pixels in (flat, two):
            for name, function in (("AutoContrast", F.autocontrast), ("Equalize", F.equalize)):
                mine = self.apply(pixels, [dict(ops=[[name, 0, 1]], bytes=True)])[0]
                self.expect_close(mine, image(function(tensor(pixels))), 0, name)

    def test_operations_follow_each_other(self):
        pixels = self.square[3]
        ops = [["Posterize", 20, 1], ["Brightness", 9, -1], ["TranslateX", 9, 1]]
        values = F.adjust_brightness(F.posterize(tensor(pixels), round(8 - 4 * 20 / 30)), 1 - 0.9 * 9 / 30)
        values = F.affine(values, 0, [int(150 / 331 * 9 / 30 * SIDE), 0], 1, [0, 0])
        for bytes_wanted in (True, False):
            mine = self.apply(pixels, [dict(ops=ops, bytes=bytes_wanted)])[0]
            self.expect_close(mine, image(values), 1, f"bytes {bytes_wanted}")

    def test_erasing(self):
        pixels = self.square[3]
        works = [dict(erased=[0.25, 0.5, 0.5, 0.999], bytes=as_bytes) for as_bytes in (False, True)]
        slot, levels = self.apply(pixels, works, mean=99.6, std=50)
        top, left, height, width = SIDE * 3 // 8, SIDE // 2, SIDE // 4, SIDE // 2
        normalised = F.normalize(tensor(pixels).float(), [99.6] * 3, [50] * 3)
        theirs = F.erase(normalised, top, left, height, width, torch.zeros(3, 1, 1))
        self.expect_close(slot, image(theirs), 1e-4, "float32")
        theirs = F.erase(tensor(pixels), top, left, height, width, torch.full((3, 1, 1), 100).byte())
        self.expect_close(levels, image(theirs), 0, "uint8")


if __name__ == "__main__":
    support.main()
