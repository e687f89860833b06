"""Static files with a hash in their name, ES module imports included."""

from servestatic.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Without the aggregation `import './b.js'` would stay unhashed and be cached for ever."""

    support_js_module_import_aggregation = True
