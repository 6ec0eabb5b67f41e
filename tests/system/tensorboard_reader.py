"""What the tests of event files read them with: TensorBoard's own code. Without the package the calling script is skipped."""
import io
import logging

import support

numpy = support.needed("numpy")
pillow_image = support.needed("PIL.Image")
event_accumulator = support.needed("tensorboard.backend.event_processing.event_accumulator")
plugin_event_accumulator = support.needed("tensorboard.backend.event_processing.plugin_event_accumulator")
plugin_event_multiplexer = support.needed("tensorboard.backend.event_processing.plugin_event_multiplexer")
data_provider = support.needed("tensorboard.backend.event_processing.data_provider")
tensor_util = support.needed("tensorboard.util.tensor_util")
hparams_api = support.needed("tensorboard.plugins.hparams.api_pb2")
hparams_context = support.needed("tensorboard.plugins.hparams.backend_context")
session_groups = support.needed("tensorboard.plugins.hparams.list_session_groups")
request_context = support.needed("tensorboard.context")
base_plugin = support.needed("tensorboard.plugins.base_plugin")
logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it says what it leaves out after a restart


def read_events(folder):
    """All that TensorBoard finds in a folder's event files; nothing is thinned out."""
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={kind: 0 for kind in (
        event_accumulator.SCALARS, event_accumulator.HISTOGRAMS, event_accumulator.IMAGES, event_accumulator.TENSORS)})
    return events.Reload()


def points(events, tag):
    """[(step, number)]"""
    return [(point.step, point.value) for point in events.Scalars(tag)]


def texts(folder, tag):
    """[(step, text)], as the web server reads them: EventAccumulator shows texts that a restart has made void."""
    events = plugin_event_accumulator.EventAccumulator(str(folder), tensor_size_guidance={"text": 0}).Reload()
    return [(event.step, tensor_util.make_ndarray(event.tensor_proto)[0].decode()) for event in events.Tensors(tag)]


def pixels(image_event):
    return numpy.array(pillow_image.open(io.BytesIO(image_event.encoded_image_string)))


def single(value):
    """A number as a 32-bit float has it."""
    return float(numpy.float32(value))


class Hparams:
    """What the HParams tab shows of the runs below a folder: its own code, behind the web server."""

    def __init__(self, folder):
        multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(folder))
        multiplexer.Reload()
        context = hparams_context.Context(base_plugin.TBContext(
            data_provider=data_provider.MultiplexerDataProvider(multiplexer, str(folder))))
        asked = request_context.RequestContext()
        self.experiment = context.experiment_from_metadata(
            asked, "", True, context.hparams_metadata(asked, ""), context.hparams_from_data_provider(asked, "", limit=1000))
        request = hparams_api.ListSessionGroupsRequest(start_index=0, slice_size=100,
                                                       allowed_statuses=list(hparams_api.Status.values()))
        self.groups = session_groups.Handler(asked, context, "", request).run().session_groups

    def sessions(self):
        """{run: session}"""
        return {session.name: session for group in self.groups for session in group.sessions}

    def values(self, run):
        """{hyperparameter: value} of a run."""
        group = next(group for group in self.groups if any(session.name == run for session in group.sessions))
        return {name: getattr(value, value.WhichOneof("kind")) for name, value in group.hparams.items()}
