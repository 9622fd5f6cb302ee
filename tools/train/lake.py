"""Lakes under a sun or a moon: appearance and motion drawn at random, their captions, and the picture at a frame."""

import math

import skia

from drawing import P, ease, grad, mix

STYLES = ["soft illustration", "flat illustration"]
SKYT = {
    "sunrise": ((92, 128, 190), (250, 176, 110), (255, 222, 150)),
    "sunset": ((88, 62, 120), (240, 110, 80), (255, 170, 90)),
    "midday": ((86, 156, 226), (190, 224, 246), (255, 250, 220)),
    "moonlit night": ((12, 18, 48), (50, 66, 110), (230, 236, 250)),
}


def sample_lake(r):
    a = dict(
        kind="lake",
        time=r.choices(list(SKYT), [4, 2, 2, 1])[0],
        mountains=r.random() < 0.7,
        boat=r.random() < 0.35,
        clouds=r.random() < 0.5,
        trees=r.random() < 0.4,
        horizon=r.uniform(0.46, 0.58),
        sunx=r.uniform(0.25, 0.75),
        suny=r.uniform(0.3, 0.75),
        style=r.choices(STYLES, [2, 1])[0],
        boatx=r.uniform(0.2, 0.8),
        mseed=r.random() * 100,
        mh=r.uniform(0.08, 0.2),
    )
    m = dict(rise=0.0, ripple=0.25, drift=0.0, boat=0.0, zoom=(1.0, 1.0), pan=0.0)
    s = []
    body = "moon" if a["time"] == "moonlit night" else "sun"
    for k in r.sample(["rise", "ripple", "drift", "boat", "camera", "pan"], r.choice([1, 2, 2])):
        if k == "rise":
            m["rise"] = 1.0
            s.append(f"the {body} rises slowly")
        if k == "ripple":
            m["ripple"] = 1.0
            s.append("gentle ripples move across the water")
        if k == "drift" and a["clouds"]:
            m["drift"] = 1.0
            s.append("clouds drift")
        if k == "boat" and a["boat"]:
            m["boat"] = r.choice([-1, 1])
            s.append("the boat drifts to the " + ("left" if m["boat"] < 0 else "right"))
        if k == "camera":
            m["zoom"] = (1.0, 1.3)
            s.append("slow push-in camera")
        if k == "pan":
            m["pan"] = r.choice([-1, 1])
            s.append("slow pan to the " + ("left" if m["pan"] < 0 else "right"))
    if not s:
        s = ["calm water"]
    c = [f"A {a['time']} over a lake"]
    if a["mountains"]:
        c.append("mountains in the distance")
    if a["trees"]:
        c.append("pine trees")
    if a["boat"]:
        c.append("a small boat")
    if a["clouds"]:
        c.append("soft clouds")
    return dict(appearance=a, motion=m, still=", ".join(c + [a["style"]]), move=", ".join(s), seed=r.random() * 1000)


def draw_lake(c, S, t, T):
    a, m = S["appearance"], S["motion"]
    u = ease(t / max(1, T - 1)) if T > 1 else 0.0
    sec = t / 8.0
    z0, z1, sun = SKYT[a["time"]]
    flat = a["style"] == "flat illustration"
    h = a["horizon"]
    night = a["time"] == "moonlit night"
    zoom = m["zoom"][0] + (m["zoom"][1] - m["zoom"][0]) * u
    r = m["rise"] * u
    if not night:
        z0, z1 = mix(z0, (120, 170, 230), 0.35 * r), mix(z1, (255, 214, 150), 0.35 * r)
    c.save()
    c.translate(0.5, h)
    c.scale(zoom, zoom)
    c.translate(-0.5, -h)
    pan = m["pan"] * u * 0.12
    grad(c, (-1, -1, 2, h), z0, z1, [(0, -0.05), (0, h)])
    sx, sy = a["sunx"] - pan * 0.3, h - (0.06 + 0.24 * a["suny"]) - 0.14 * r + 0.07
    if not flat:
        c.drawCircle(sx, sy, 0.16, P(sun, 120, 0.06))
    c.drawCircle(sx, sy, 0.052 if not night else 0.04, P(mix(sun, (255, 255, 255), 0.35)))
    if a["clouds"]:
        for i in range(3):
            x = (0.12 + 0.36 * i + a["mseed"] * 0.37) % 1.2 - 0.1 + m["drift"] * u * 0.14 - pan * 0.4
            y = 0.1 + 0.07 * ((i * 2 + int(a["mseed"])) % 3)
            cc = mix(z1, (255, 255, 255), 0.55 if not night else 0.15)
            for k in range(4):
                c.drawOval(
                    skia.Rect.MakeXYWH(
                        x - 0.12 + 0.055 * k, y - 0.018 * (1 + (k in (1, 2))), 0.11, 0.04 + 0.014 * (k in (1, 2))
                    ),
                    P(cc, 210, 0 if flat else 0.008),
                )
    mt = mix(mix(z0, z1, 0.5), (40, 50, 80), 0.5)
    if a["mountains"]:
        for layer in range(2):
            pts = [(-1.0, h)]
            for i in range(-4, 17):
                x = i / 8 - 0.25 - pan * (0.5 + 0.3 * layer)
                q = abs(math.sin(i * 1.7 + a["mseed"] + layer * 2.1)) * 0.6 + 0.4 * abs(
                    math.sin(i * 3.1 + a["mseed"] * 1.3)
                )
                pts.append((x, h - a["mh"] * q * (1 - 0.35 * layer)))
            p = skia.Path()
            p.moveTo(-1, h)
            [p.lineTo(*q) for q in pts]
            p.lineTo(3, h)
            p.close()
            c.drawPath(p, P(mix(mt, (20, 28, 50), 0.35 * layer)))
    w0, w1 = mix(z1, (40, 70, 110), 0.35), mix(z0, (16, 36, 70), 0.6)
    grad(c, (-1, h, 2, 2.0), w0, w1, [(0, h), (0, 1.05)])
    if a["trees"]:
        for i in range(7):
            x = -0.02 + i * 0.065 - pan
            hh = 0.1 + 0.05 * abs(math.sin(i * 2.3 + a["mseed"]))
            p = skia.Path()
            p.moveTo(x - 0.03, h + 0.012)
            p.lineTo(x, h - hh)
            p.lineTo(x + 0.03, h + 0.012)
            p.close()
            c.drawPath(p, P(mix((24, 52, 44), mt, 0.2)))
    # reflection of the sun, broken by ripples
    amp = m["ripple"]
    for i in range(11):
        y = h + 0.02 + i * 0.042 + (i * i) * 0.0006
        w = 0.035 + 0.012 * i
        ph = i * 1.9 + a["mseed"]
        x = sx + 0.02 * math.sin(ph + sec * 3.0 * amp) * (1 + 0.12 * i)
        w *= 0.75 + 0.35 * math.sin(ph * 1.3 + sec * 2.3 * amp)
        c.drawOval(
            skia.Rect.MakeLTRB(x - w, y - 0.007, x + w, y + 0.007), P(mix(sun, w0, 0.25), 200, 0 if flat else 0.004)
        )
    for i in range(9):
        y = h + 0.05 + ((i * 0.37 + a["mseed"]) % 1) * (0.95 - h)
        x = ((i * 0.61 + a["mseed"] * 0.7) % 1.2) - 0.1 + 0.035 * math.sin(sec * 2.0 * amp + i) - pan
        w = 0.05 + 0.06 * ((i * 0.29) % 1)
        c.drawLine(x - w, y, x + w, y, P(mix(w0, (255, 255, 255), 0.3), 120, 0, 0.006))
    if a["boat"]:
        x = a["boatx"] + m["boat"] * u * 0.2 - pan * 1.2
        y = h + 0.12 + 0.004 * math.sin(sec * 3)
        c.drawOval(skia.Rect.MakeLTRB(x - 0.07, y + 0.012, x + 0.07, y + 0.04), P(w1, 140, 0 if flat else 0.008))
        p = skia.Path()
        p.moveTo(x - 0.075, y)
        p.lineTo(x + 0.075, y)
        p.lineTo(x + 0.05, y + 0.026)
        p.lineTo(x - 0.05, y + 0.026)
        p.close()
        c.drawPath(p, P((92, 52, 34)))
        p = skia.Path()
        p.moveTo(x, y - 0.01)
        p.lineTo(x, y - 0.14)
        p.lineTo(x + 0.06, y - 0.02)
        p.close()
        c.drawPath(p, P((246, 240, 228)))
        c.drawLine(x, y, x, y - 0.145, P((70, 44, 30), 255, 0, 0.007))
    c.restore()
