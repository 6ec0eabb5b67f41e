"""Weights that Keras saved, through the program into torchvision's and timm's networks: the same logits for the same images."""
import os
import struct

import support
from support import SystemTest

torch = support.needed_torch("torch")
torchvision = support.needed_torch("torchvision")
os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
h5py = support.needed("h5py")
keras = support.needed("keras")
safetensors = support.needed("safetensors")
from keras.src.legacy.saving import legacy_h5_format  # what Keras calls the layout with layer_names
import numpy


def randomised(model, seed, input_scale=1):
    """Other weights than the initial ones, statistics and biases too. `input_scale`: of the images, so that logits are
    about 1."""
    draws = numpy.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            name, shape = weight.name, tuple(weight.shape)
            if name in ("gamma", "moving_variance"):
                values.append(draws.uniform(*((0.2, 0.5) if name == "gamma" else (0.7, 1.3)), shape))
            elif name in ("beta", "bias", "moving_mean"):
                values.append(draws.normal(0, 0.1, shape))
            else:
                inputs = shape[0] * shape[1] if name == "depthwise_kernel" else numpy.prod(shape[:-1])
                values.append(draws.normal(0, (2 / inputs) ** 0.5 / input_scale, shape))
                input_scale = 1
        if values:
            layer.set_weights(values)
    return model


def save(model, file, **options):
    """Keras 3 takes no slash in names; those of a network that has some since Keras 2 are put back for the file."""
    own = [layer.name for layer in model.layers]
    for layer in model.layers:
        layer.name = layer.name.replace("__", "/")
    with h5py.File(file, "w", **options) as target:
        legacy_h5_format.save_weights_to_hdf5_group(target, model)
    for layer, name in zip(model.layers, own):
        layer.name = name


def squeezenet(classes, top=True):
    """As keras-squeezenet builds it, layer by layer."""
    layers = keras.layers
    image = layers.Input((64, 64, 3))

    def convolution(x, filters, side, name, **options):
        return layers.Conv2D(filters, side, activation="relu", name=name.replace("/", "__"), **options)(x)

    def fire(x, number, squeeze, expand):
        x = convolution(x, squeeze, 1, f"fire{number}/squeeze1x1")
        return layers.concatenate([convolution(x, expand, 1, f"fire{number}/expand1x1"),
                                   convolution(x, expand, 3, f"fire{number}/expand3x3", padding="same")])

    x = convolution(image, 64, 3, "conv1", strides=2)
    for number, squeeze, expand in ((2, 16, 64), (3, 16, 64), (4, 32, 128), (5, 32, 128), (6, 48, 192), (7, 48, 192),
                                    (8, 64, 256), (9, 64, 256)):
        if number in (2, 4, 6):
            x = layers.MaxPooling2D(3, 2)(x)
        x = fire(x, number, squeeze, expand)
    if top:
        x = layers.GlobalAveragePooling2D()(convolution(x, classes, 1, "conv10"))
    return keras.Model(image, x)


class KerasWeights(SystemTest):
    def convert(self, file, name, to="w.pth"):
        said = self.done("weights", "convert", file, self.folder / to, "--model", name).stdout
        weights = torch.load(self.folder / to, weights_only=True)
        return weights, said

    def statistics(self, said):
        """What the program says of the input, [mean, std], each [3, 1, 1]."""
        lines = dict(line.split(" = ") for line in said.splitlines() if line.startswith("input_"))
        return [torch.tensor([float(x) for x in lines[key].split(",")]).view(3, 1, 1) for key in ("input_mean", "input_std")]

    def assert_same_logits(self, ours, theirs, said, side, mode, strict=True):
        """`theirs` without softmax, on Keras' own preprocessing of the same pictures."""
        pixels = numpy.random.default_rng(5).integers(0, 256, (4, side, side, 3)).astype("float32")
        prepared = keras.applications.imagenet_utils.preprocess_input(pixels.copy(), data_format="channels_last", mode=mode)
        mean, std = self.statistics(said)
        with torch.no_grad():
            expected = theirs(torch.from_numpy(numpy.ascontiguousarray(prepared)), training=False)
            found = ours.eval()((torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std)
        self.assertGreater(expected.abs().max().item(), 0.1)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)

    def test_vgg16_and_vgg19(self):
        for name, build, network in (("vgg16", keras.applications.VGG16, torchvision.models.vgg16),
                                     ("vgg19", keras.applications.VGG19, torchvision.models.vgg19)):
            with self.subTest(name):
                theirs = randomised(build(weights=None, classes=10, classifier_activation=None), 1, 64)
                save(theirs, self.folder / "w.h5")
                weights, said = self.convert(self.folder / "w.h5", name)
                ours = network(num_classes=10)
                ours.load_state_dict(weights, strict=True)
                self.assert_same_logits(ours, theirs, said, 224, "caffe")

    def test_xception(self):
        try:
            import timm
        except ImportError:
            self.skipTest("the Python package timm, which has the Xception, is missing")
        theirs = randomised(keras.applications.Xception(weights=None, input_shape=(71, 71, 3), classes=10,
                                                        classifier_activation=None), 2)
        save(theirs, self.folder / "w.h5")
        weights, said = self.convert(self.folder / "w.h5", "xception")
        ours = timm.create_model("legacy_xception", num_classes=10)
        ours.load_state_dict(weights, strict=True)
        self.assert_same_logits(ours, theirs, said, 71, "tf")
        # a whole saved model, and a file without the top
        theirs.save(self.folder / "whole.h5")
        self.convert(self.folder / "whole.h5", "xception", "whole.pth")
        self.done("weights", "compare", self.folder / "w.pth", self.folder / "whole.pth")
        trunk = keras.applications.Xception(weights=None, include_top=False, input_shape=(71, 71, 3))
        save(trunk, self.folder / "trunk.h5")
        headless, _ = self.convert(self.folder / "trunk.h5", "xception", "trunk.pth")
        self.assertEqual(set(weights) - set(headless), {"fc.weight", "fc.bias"})

    def test_squeezenet(self):
        theirs = randomised(squeezenet(10), 3, 64)
        save(theirs, self.folder / "w.h5")
        weights, said = self.convert(self.folder / "w.h5", "squeezenet1_1")
        ours = torchvision.models.squeezenet1_1(num_classes=10)
        ours.load_state_dict(weights, strict=True)
        self.assert_same_logits(ours, theirs, said, 64, "caffe")
        for options in ({"libver": "latest"}, {"libver": "v108"}, {"track_order": True}):
            save(theirs, self.folder / "newest.h5", **options)
            self.convert(self.folder / "newest.h5", "squeezenet1_1", "newest.pth")
            self.done("weights", "compare", self.folder / "w.pth", self.folder / "newest.pth")
        save(squeezenet(10, top=False), self.folder / "trunk.h5")
        headless, _ = self.convert(self.folder / "trunk.h5", "squeezenet1_1", "trunk.pth")
        self.assertEqual(set(weights) - set(headless), {"classifier.1.weight", "classifier.1.bias"})

    def test_a_fine_tuned_run_starts_from_a_file_of_keras(self):
        if "squeezenet1_1" not in self.models():
            self.skipTest("needs --model squeezenet1_1")
        data = self.make_data(self.folder / "data", images=40, side=64)
        save(randomised(squeezenet(1000), 3), self.folder / "w.h5")
        result = self.done("train", "--data", data, "--run", self.folder / "run", "--model", "squeezenet1_1", "--weights",
                           self.folder / "w.h5", "--epochs", 1, "--batch", 10, "--threads", 1)
        self.assertIn("the head classifier.1 starts anew: 1000 classes in the file, 10 in the data set", result.stdout + result.stderr)

    def models(self):
        return self.done("train", "--help").stdout

    def test_files_of_the_first_keras(self):
        """Names end with _W_1:0, strings have a fixed length, layers without weights have an empty array of floats."""
        file = self.folder / "old.h5"
        layers = [(f"fire{n}/{part}", shape) for n, s, e, i in
                  ((2, 16, 64, 64), (3, 16, 64, 128), (4, 32, 128, 128), (5, 32, 128, 256), (6, 48, 192, 256), (7, 48, 192, 384),
                   (8, 64, 256, 384), (9, 64, 256, 512))
                  for part, shape in (("squeeze1x1", (1, 1, i, s)), ("expand1x1", (1, 1, s, e)), ("expand3x3", (3, 3, s, e)))]
        layers = [("input_1", None), ("conv1", (3, 3, 3, 64)), ("pool1", None), *layers, ("conv10", (1, 1, 512, 7))]
        with h5py.File(file, "w") as target:
            target.attrs["layer_names"] = numpy.array([name.encode() for name, _ in layers])
            target.attrs["backend"] = numpy.bytes_("tensorflow")
            for name, shape in layers:
                group = target.create_group(name)
                own = [f"{name}_W_1:0", f"{name}_b_1:0"] if shape else []
                group.attrs["weight_names"] = numpy.array([text.encode() for text in own]) if own else numpy.zeros(0)
                for text, size in zip(own, (shape, (shape or [0])[-1:])):
                    group.create_dataset(text, data=numpy.random.default_rng(len(name)).normal(size=size).astype("float32"))
        weights, _ = self.convert(file, "squeezenet1_1")
        torchvision.models.squeezenet1_1(num_classes=7).load_state_dict(weights, strict=True)
        with h5py.File(file, "r") as source:
            kernel = source["fire4/expand3x3/fire4/expand3x3_W_1:0"][()]
        self.assertTrue(numpy.array_equal(weights["features.6.expand3x3.weight"].numpy(), kernel.transpose(3, 2, 0, 1)))
        said = self.done("weights", "list", file).stdout
        self.assertRegex(said, r"fire4/expand3x3/expand3x3_W_1 +float32 +3×3×32×128")

    def test_refusals(self):
        theirs = squeezenet(10)
        save(theirs, self.folder / "w.h5")
        convert = ("weights", "convert", self.folder / "w.h5", self.folder / "w.pth")
        self.refused(1, ["do not say whose they are", "--model"], *convert)
        self.refused(1, ["missing: block1_conv1"], *convert, "--model", "vgg16")
        theirs.save_weights(self.folder / "new.weights.h5")
        self.refused(1, ["the .weights.h5 layout of Keras 3", "model.save("], "weights", "list", self.folder / "new.weights.h5")
        with h5py.File(self.folder / "other.h5", "w") as target:
            target["images"] = numpy.zeros(3)
        self.refused(1, ["without layer_names"], "weights", "list", self.folder / "other.h5")
        for name, reason in (("resnet50", "strides in the first convolution"), ("inception_v3", "average pooling")):
            data = self.make_data(self.folder / name, images=20, side=80)
            if name in self.models():
                self.refused(1, [reason], "train", "--data", data, "--run", self.folder / "run", "--model", name, "--weights",
                             self.folder / "w.h5")

    def test_damaged_files(self):
        save(squeezenet(10), self.folder / "w.h5")
        convert = ("weights", "convert", self.folder / "bad.h5", self.folder / "w.pth", "--model", "squeezenet1_1")
        whole = (self.folder / "w.h5").read_bytes()
        for size in (0, 8, 100, 1000, 5000, len(whole) // 2, len(whole) - 1):
            (self.folder / "bad.h5").write_bytes(whole[:size])
            self.refused(1, [self.folder / "bad.h5"], *convert)

        def changed(change):
            (self.folder / "bad.h5").write_bytes(whole)
            with h5py.File(self.folder / "bad.h5", "r+") as file:
                change(file)

        def drop(name):
            return lambda file: file.__delitem__(name)

        def replace(name, values):
            def change(file):
                del file[name]
                file[name] = values
            return change

        changed(drop("fire5/squeeze1x1"))
        self.refused(1, ["fire5/squeeze1x1"], *convert)
        kernel = "conv1/conv1/kernel"
        changed(drop(kernel))
        self.refused(1, [kernel], *convert)
        changed(replace(kernel, numpy.zeros((3, 3, 64), "float32")))
        self.refused(1, ["[3, 3, 64], 4 axes expected"], *convert)
        changed(replace(kernel, numpy.zeros((3, 3, 3, 64), "float64")))
        self.refused(1, ["no whole block of float32"], *convert)
        changed(lambda file: file.attrs.__setitem__("layer_names", [1, 2]))
        self.refused(1, ["layer_names does not hold strings"], *convert)
        changed(lambda file: file.attrs.__setitem__("layer_names", [name for name in file.attrs["layer_names"] if name != "fire2/squeeze1x1"]))
        self.refused(1, ["missing: fire2/squeeze1x1"], *convert)
        changed(lambda file: file.attrs.__setitem__("backend", "theano"))
        self.refused(1, ["Theano"], *convert)
        place = whole.index(b"GCOL")  # of the texts of variable length
        (self.folder / "bad.h5").write_bytes(whole[:place + 8] + struct.pack("<Q", 2 ** 60) + whole[place + 16:])
        self.refused(1, [self.folder / "bad.h5"], *convert)


if __name__ == "__main__":
    support.main()
