// Stands in for a consent platform: __tcfapi and __gpp as the IAB's specifications have them. window.say decides.
(() => {
  const tcf = { heard: [], data: null };
  const gpp = { heard: [], ping: { signalStatus: "not ready", applicableSections: [], parsedSections: {} } };

  window.makeTcf = () => {
    window.__tcfapi = (command, version, then) => {
      if (command !== "addEventListener" || version !== 2) return then(null, false);
      tcf.heard.push(then);
      // A platform that waits for its visitor says so.
      then(tcf.data || { eventStatus: "cmpuishown", gdprApplies: true, listenerId: tcf.heard.length }, true);
    };
  };
  window.makeGpp = () => {
    window.__gpp = (command, then) => {
      if (command === "ping") return then(gpp.ping, true);
      if (command !== "addEventListener") return undefined;
      gpp.heard.push(then);
      return then({ eventName: "listenerRegistered", listenerId: gpp.heard.length, data: true, pingData: gpp.ping }, true);
    };
  };
  window.sayTcf = (data) => {
    tcf.data = data;
    tcf.heard.forEach((then) => then(data, true));
  };
  window.sayGpp = (ping) => {
    gpp.ping = { ...gpp.ping, ...ping, signalStatus: "ready" };
    gpp.heard.forEach((then) => then({ eventName: "signalStatus", data: "ready", pingData: gpp.ping }, true));
  };
})();
