"""Read video and sound: by PyAV or Decord, whole or a span of it, from files, folders of frames or memory."""
