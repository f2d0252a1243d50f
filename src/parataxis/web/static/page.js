// Shows how far a run is, and the whole page anew when it is over.
const live = document.getElementById("live");
if (live) {
  const source = new EventSource(live.dataset.events);
  source.onmessage = (event) => {
    const look = JSON.parse(event.data);
    if (look.over) {
      source.close();
      location.reload();
    } else {
      live.textContent = look.state === "running" ? `${look.rows} of ${look.of} measured. ${look.doing}` : look.state;
    }
  };
}
