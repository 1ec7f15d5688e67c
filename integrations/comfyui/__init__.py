"""ComfyUI loads this file at its start: "Load Upscale Model" then also loads files of the Converse networks.

ComfyUI imports every folder in custom_nodes; this one adds no nodes of its own, but three architectures to spandrel.
"""

try:
    from converse_basicsr.spandrel import install
except ModuleNotFoundError as error:
    raise ImportError(f"{error}; README.md beside this file says what to install into ComfyUI's Python") from error

install()

NODE_CLASS_MAPPINGS = {}
NODE_DISPLAY_NAME_MAPPINGS = {}
