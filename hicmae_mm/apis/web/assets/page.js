() => {
  // What the whole page needs: the recording is kept in the browser to be played, for the server deletes it.
  const page = __PAGE__;
  let address = null;
  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

  window.hicmaeMedia = () => address;
  window.hicmaeRemember = async (file, ...others) => {
    if (address) URL.revokeObjectURL(address);
    address = null;
    tell('hicmae-start', { hasFile: Boolean(file) });
    if (file && file.url) {
      try {
        const answer = await fetch(file.url);
        if (answer.ok) address = URL.createObjectURL(await answer.blob());
      } catch (error) {
        address = null; // the result is shown without a player
      }
    }
    return [file, ...others];
  };

  window.hicmaeBusy = () => tell('hicmae-problem', {
    title: 'The server is busy or cannot be reached.',
    advice: 'Your recording is still here: wait a minute, then press Analyse again.',
  });

  // The framework takes what has arrived when its button is pressed, on a busy machine next to nothing: end the recording
  // first, and press the button once the rest is there.
  let recorder = null;
  if (window.MediaRecorder) {
    window.MediaRecorder = class extends window.MediaRecorder {
      constructor(...options) {
        super(...options);
        recorder = this;
      }
    };
  }
  document.addEventListener('click', (event) => {
    const button = event.target.closest('#hm-camera button');
    if (!button || !recorder || recorder.state === 'inactive') return;
    event.preventDefault();
    event.stopImmediatePropagation();
    recorder.addEventListener('stop', () => button.click(), { once: true });
    recorder.stop();
  }, true);

  // Files that the server would refuse are not sent.
  const refuse = (event, files) => {
    if (!files || !Array.from(files).some((file) => file.size > page.maxBytes)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.target instanceof HTMLInputElement) event.target.value = '';
    tell('hicmae-problem', {
      title: `This file is larger than ${page.maxMegabytes} MB.`,
      advice: 'Choose a shorter recording or one of lower resolution.',
    });
  };
  document.addEventListener('change', (event) => refuse(event, event.target.files), true);
  document.addEventListener('drop', (event) => refuse(event, event.dataTransfer && event.dataTransfer.files), true);
}
