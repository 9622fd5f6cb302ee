"""Portraits: appearance and motion drawn at random, the two captions that say so, and the picture at a frame."""

import math

import skia

from drawing import P, col, ease, grad, mix, path

HAIR = {
    "auburn": (140, 58, 30),
    "black": (32, 28, 34),
    "blonde": (226, 186, 110),
    "brown": (96, 62, 40),
    "silver": (186, 190, 200),
    "red": (190, 66, 36),
}
HAIRSTYLES = {"young woman": ["long", "shoulder-length", "curly"], "young man": ["short", "curly"]}
SKIN = {"fair": (246, 214, 192), "tan": (222, 172, 132), "brown": (164, 112, 78), "dark": (112, 74, 54)}
EYES = {"green": (70, 130, 80), "blue": (70, 120, 180), "brown": (90, 58, 34), "grey": (120, 128, 136)}
TOP = {
    "white": (240, 238, 232),
    "navy": (36, 48, 92),
    "red": (182, 44, 48),
    "green": (52, 112, 78),
    "mustard": (208, 160, 50),
    "pink": (226, 130, 160),
    "purple": (112, 66, 140),
    "grey": (136, 140, 146),
    "black": (40, 40, 46),
}
LIGHT = {  # background top, background bottom, key colour, key side
    "soft studio lighting": ((198, 202, 208), (150, 154, 164), (255, 250, 244), 0.0),
    "warm golden light": ((238, 190, 120), (188, 116, 70), (255, 214, 150), 0.5),
    "cool moonlight": ((52, 70, 118), (22, 30, 62), (170, 196, 255), -0.5),
    "green garden light": ((150, 196, 130), (84, 140, 88), (246, 255, 224), 0.3),
    "pink sunset light": ((246, 170, 160), (176, 100, 140), (255, 204, 190), -0.3),
}
STYLES = ["soft illustration", "flat illustration", "pencil sketch"]
GEOMETRY = {  # of a face and where it is, between which values
    "face_w": (0.92, 1.08),
    "face_h": (0.94, 1.08),
    "eye_d": (0.92, 1.08),
    "nose": (0.85, 1.15),
    "mouth": (0.85, 1.15),
    "brow": (-1, 1),
    "cx": (-0.05, 0.05),
    "cy": (-0.015, 0.045),
    "scale": (0.9, 1.05),
}


def turn(r, a, yaw0, pr, po):
    """A head turn: "subtle" and "slightly" go half the way, without "slowly" it is over sooner."""
    slightly, pace = r.random() < 0.3, r.choice([1.0, 1.0, 1.4])
    if a["gaze"] != "camera" and r.random() < 0.7:
        end = 0.0
        words = "subtle head turn toward the camera"
        if not slightly or r.random() < 0.5:
            how = "slightly " if slightly else "slowly " if pace == 1 else ""
            words = f"{pr} {how}turns {po} head toward the camera"
    else:
        side = r.choice(["left", "right"]) if a["gaze"] == "camera" else {"left": "right", "right": "left"}[a["gaze"]]
        end = -0.8 if side == "left" else 0.8
        how = "slightly " if slightly else "slowly " if pace == 1 else ""
        words = f"{pr} {how}turns {po} head to the {side}"
    return dict(yaw=(yaw0, yaw0 + (end - yaw0) * (0.45 if slightly else 1.0)), pace=1.0 if slightly else pace), words


def smile(r, a, yaw0, pr, po):
    if a["smile0"]:
        return dict(smile=(1, 0)), f"{po} smile fades"
    if r.random() < 0.3:
        return dict(smile=(0, 0.5)), f"{pr} gives a subtle smile"
    return dict(smile=(0, 1)), r.choice([f"{pr} smiles", f"{pr} starts to smile"])


def breeze(r, a, yaw0, pr, po):
    if r.random() < 0.25:
        return dict(wind=2.2), "strong wind moves hair"
    return dict(wind=1.0), "gentle breeze moves hair"


def camera(r, a, yaw0, pr, po):
    return r.choices(
        [
            (dict(zoom=(1.0, 1.3)), "slow push-in camera"),
            (dict(zoom=(1.0, 1.5)), "fast push-in camera"),
            (dict(zoom=(1.25, 1.0)), "slow pull-out camera"),
            (dict(pan=-1.0), "slow pan to the left"),
            (dict(pan=1.0), "slow pan to the right"),
        ],
        [9, 3, 5, 2, 2],
    )[0]


def lighting(r, a, yaw0, pr, po):
    if r.random() < 0.75:
        return dict(light=1.0), "gentle lighting shift"
    return dict(light=2.0), "strong lighting shift"


def blink(r, a, yaw0, pr, po):
    return dict(blink=r.uniform(0.25, 0.7)), f"{pr} blinks"


MOTIONS = dict(turn=turn, smile=smile, breeze=breeze, camera=camera, light=lighting, blink=blink)


def sample_portrait(r):
    woman = r.random() < 0.6
    who = "young woman" if woman else "young man"
    a = dict(
        kind="portrait",
        who=who,
        hair=r.choice(list(HAIR)),
        skin=r.choice(list(SKIN)),
        eyes=r.choice(list(EYES)),
        top=r.choice(list(TOP)),
        light=r.choice(list(LIGHT)),
        style=r.choices(STYLES, [5, 3, 2])[0],
        hairstyle=r.choice(HAIRSTYLES[who]),
        glasses=r.random() < 0.18,
        earrings=woman and r.random() < 0.4,
        gaze=r.choice(["left", "right", "camera"]),
        smile0=r.choice([0, 0, 1]),
        **{key: r.uniform(*ends) for key, ends in GEOMETRY.items()},
    )
    ahead = a["gaze"] == "camera"
    slightly = not ahead and r.random() < 0.3
    least, most = (0.0, 0.08) if ahead else (0.25, 0.4) if slightly else (0.5, 0.95)
    side = {"left": -1, "right": 1, "camera": r.choice([-1, 1])}[a["gaze"]]
    yaw0 = side * r.uniform(least, most)
    pr = "She" if woman else "He"
    po = "her" if woman else "his"
    still = dict(
        yaw=(yaw0, yaw0),
        pace=1.0,
        smile=(a["smile0"], a["smile0"]),
        wind=0.0,
        zoom=(1.0, 1.0),
        pan=0.0,
        light=0.0,
        blink=None,
    )
    kinds = [] if r.random() < 0.06 else r.sample(list(MOTIONS), r.choice([1, 1, 2, 2, 3]))
    moves = [MOTIONS[kind](r, a, yaw0, pr, po) for kind in kinds] or [({}, "holds still")]
    m = still | {name: value for change, _ in moves for name, value in change.items()}
    gz = {"left": "looking left", "right": "looking right", "camera": "looking at the camera"}[a["gaze"]]
    if slightly:
        gz = "looking slightly off-camera"
    c = (
        f"Portrait of a {a['who']} with {a['hairstyle']} {a['hair']} hair"
        if r.random() < 0.6
        else f"Portrait of a {a['who']} with {a['hair']} hair"
    )
    opt = [f"{a['skin']} skin", f"{a['eyes']} eyes", f"{a['top']} top"]
    r.shuffle(opt)
    opt = opt[: r.choice([0, 1, 2, 3])]
    if a["glasses"]:
        opt.append("glasses")
    if a["earrings"]:
        opt.append("earrings")
    if a["smile0"]:
        opt.append("smiling")
    c = ", ".join([c] + opt + [a["light"], gz, a["style"]])
    return dict(appearance=a, motion=m, still=c, move=", ".join(words for _, words in moves), seed=r.random() * 1000)


def enlarge_head(c):
    """Heads are a fifth larger than the shoulders ask for: a face needs the room."""
    c.translate(0.5, 0.66)
    c.scale(1.2, 1.2)
    c.translate(-0.5, -0.66)


def draw_portrait(c, S, t, T):
    """Coordinates: the unit square, y down, scaled by the caller."""
    a, m = S["appearance"], S["motion"]
    u = ease(t / max(1, T - 1)) if T > 1 else 0.0
    sec = t / 8.0
    L = LIGHT[a["light"]]
    sk = a["style"] == "pencil sketch"
    flat = a["style"] == "flat illustration"
    soft = not sk and not flat
    turned = ease(min(1.0, m["pace"] * t / max(1, T - 1))) if T > 1 else 0.0
    yaw = m["yaw"][0] + (m["yaw"][1] - m["yaw"][0]) * turned
    smile = m["smile"][0] + (m["smile"][1] - m["smile"][0]) * u
    zoom = m["zoom"][0] + (m["zoom"][1] - m["zoom"][0]) * u
    ls = m["light"] * math.sin(u * math.pi / 2)
    bl = 0.0
    if m["blink"] is not None and T > 1:
        bl = max(0.0, 1 - abs(t / (T - 1) - m["blink"]) * 9)

    def wind(ph):
        return (
            m["wind"]
            * min(1.0, sec * 2.0)
            * 0.022
            * (math.sin(sec * 3.2 + ph) + 0.6 * math.sin(sec * 1.9 + ph * 1.7) + 0.8)
        )

    key = mix(L[2], (255, 226, 190), 0.6 * ls)
    paper = (240, 236, 226)

    def lit(k):
        return (
            paper
            if sk
            else tuple(
                mix(k, tuple(k[i] * key[i] / 255 for i in range(3)), 0.85)[i] * (1 + 0.10 * ls) for i in range(3)
            )
        )

    bg0, bg1 = (paper, paper) if sk else (mix(L[0], (255, 226, 170), 0.35 * ls), mix(L[1], (230, 150, 100), 0.35 * ls))
    if flat:
        bg1 = bg0
    grad(c, (0, 0, 1, 1), bg0, bg1)
    if soft:
        c.drawCircle(0.5 + 0.25 * L[3], 0.35, 0.38, P(mix(bg0, (255, 255, 255), 0.35), 90, 0.09))
    ink = (58, 54, 60)

    def line(w=0.0105):
        return P(ink, 255, 0, w)

    c.save()
    c.translate(0.5, 0.47)
    c.scale(zoom * a["scale"], zoom * a["scale"])
    c.translate(-0.5 + a["cx"] - 0.16 * m["pan"] * u, -0.47 + a["cy"])
    hair, skin, top = lit(HAIR[a["hair"]]), lit(SKIN[a["skin"]]), lit(TOP[a["top"]])
    hd, hl = mix(hair, (0, 0, 0), 0.28), mix(hair, (255, 255, 255), 0.22)
    sd = mix(skin, (120, 40, 30), 0.22)
    if sk:
        hair = hd = mix(paper, HAIR[a["hair"]], 0.35)
        hl = hair
        sd = mix(paper, ink, 0.18)
    fx, fy, fw, fh = 0.5 + yaw * 0.018, 0.42, 0.165 * a["face_w"], 0.215 * a["face_h"]
    style = a["hairstyle"]
    c.save()
    enlarge_head(c)
    # hair behind
    if style in ("long", "shoulder-length", "curly") and a["who"] == "young woman":
        bot = {"long": 0.86, "shoulder-length": 0.68, "curly": 0.64}[style]
        w = fw * (1.32 if style != "curly" else 1.62)
        n = 7
        ptsl = []
        ptsr = []
        for i in range(n):
            q = i / (n - 1)
            y = fy - fh * 0.9 + (bot - fy + fh * 0.9) * q
            ww = w * (0.86 + 0.22 * math.sin(q * 2.6))
            cur = 0.018 * math.sin(i * 2.4) if style == "curly" else 0
            ptsl.append((fx - ww - cur + wind(i * 0.5) * q - yaw * 0.02, y))
            ptsr.append((fx + ww + cur + wind(i * 0.5 + 0.8) * q - yaw * 0.02, y))
        pp = path(
            [(fx - 0.03, fy - fh * 1.32), (fx - w * 0.8, fy - fh * 1.15)]
            + ptsl
            + [(fx, bot + 0.01)]
            + ptsr[::-1]
            + [(fx + w * 0.8, fy - fh * 1.15), (fx + 0.03, fy - fh * 1.32)]
        )
        c.drawPath(pp, P(hd))
        if sk:
            c.drawPath(pp, line())
    c.restore()
    # neck and shoulders
    nk = path(
        [
            (0.5 - 0.08, fy + fh * 0.6),
            (0.5 - 0.075, 0.72),
            (0.5 - 0.1, 0.78),
            (0.5, 0.82),
            (0.5 + 0.1, 0.78),
            (0.5 + 0.075, 0.72),
            (0.5 + 0.08, fy + fh * 0.6),
        ]
    )
    c.drawPath(nk, P(mix(skin, sd, 0.6)))
    sh = path(
        [
            (0.5 - 0.085, 0.735),
            (0.5 - 0.2, 0.79),
            (0.5 - 0.36, 0.85),
            (0.5 - 0.42, 1.1),
            (0.5 - 0.3, 1.35),
            (0.5 + 0.3, 1.35),
            (0.5 + 0.42, 1.1),
            (0.5 + 0.36, 0.85),
            (0.5 + 0.2, 0.79),
            (0.5 + 0.085, 0.735),
            (0.5, 0.86),
        ]
    )
    c.drawPath(sh, P(top))
    if soft:
        c.save()
        c.clipPath(sh, True)
        c.drawCircle(0.5 - 0.3 * (L[3] or 0.6), 0.95, 0.2, P(mix(top, (0, 0, 0), 0.45), 110, 0.06))
        c.restore()
    if sk:
        c.drawPath(sh, line())
        c.drawPath(path([(0.43, 0.6), (0.425, 0.7), (0.41, 0.74)], False), line())
        c.drawPath(path([(0.57, 0.6), (0.575, 0.7), (0.59, 0.74)], False), line())
    enlarge_head(c)
    # ears on the side turned toward us, earrings
    for sgn in (-1, 1):
        vis = max(0.0, min(1.0, 0.55 - sgn * yaw * 1.1))
        ex = fx + sgn * fw * (0.98 - 0.1 * sgn * yaw)
        if vis > 0.05 and a["hairstyle"] in ("short", "curly"):
            o = skia.Rect.MakeLTRB(ex - 0.026 * vis, fy - 0.015, ex + 0.026 * vis, fy + 0.07)
            c.drawOval(o, P(mix(skin, sd, 0.4)))
            if sk:
                c.drawOval(o, line(0.008))
        if a["earrings"] and vis > 0.1:
            c.drawCircle(ex + sgn * 0.004 + wind(1) * 0.3, fy + 0.105, 0.017, P((250, 214, 110)))
    # face
    face = path(
        [
            (fx - fw * 0.62, fy - fh * 0.86),
            (fx - fw * 1.02, fy - fh * 0.3),
            (fx - fw * 0.98, fy + fh * 0.35),
            (fx - fw * 0.5 + yaw * 0.02, fy + fh * 0.95),
            (fx + yaw * 0.035, fy + fh * 1.1),
            (fx + fw * 0.5 + yaw * 0.02, fy + fh * 0.95),
            (fx + fw * 0.98, fy + fh * 0.35),
            (fx + fw * 1.02, fy - fh * 0.3),
            (fx + fw * 0.62, fy - fh * 0.86),
            (fx, fy - fh * 1.05),
        ]
    )
    c.drawPath(face, P(skin))
    c.save()
    c.clipPath(face, True)
    if soft:
        c.drawCircle(fx - (0.15 if L[3] >= 0 else -0.15) * 1.2, fy + 0.1, 0.13, P(sd, 120, 0.05))
        for s2 in (-1, 1):
            c.drawCircle(
                fx + yaw * 0.07 + s2 * fw * 0.52, fy + fh * 0.32, 0.03, P((230, 110, 100), 60 + 50 * smile, 0.014)
            )
    c.restore()
    if sk:
        c.drawPath(face, line())
    # features: moved sideways by the turn of the head, foreshortened on the far side
    mx = fx + yaw * 0.075
    ed = fw * 0.46 * a["eye_d"]
    for sgn in (-1, 1):
        f = 1 - 0.38 * max(0.0, sgn * yaw)
        ex = mx + sgn * ed * (1 - 0.34 * max(0.0, sgn * yaw))
        ey = fy + fh * 0.02
        ew, eh = 0.047 * f, 0.031 * (1 - 0.92 * bl) * (1 - 0.22 * smile)
        c.drawOval(
            skia.Rect.MakeLTRB(ex - ew, ey - eh, ex + ew, ey + eh), P((252, 250, 246) if not sk else (250, 248, 242))
        )
        if bl < 0.8:
            ix = ex + yaw * 0.012
            c.save()
            c.clipPath(skia.Path.Oval(skia.Rect.MakeLTRB(ex - ew, ey - eh, ex + ew, ey + eh)), True)
            c.drawCircle(ix, ey, 0.0255, P(EYES[a["eyes"]] if not sk else (110, 108, 112)))
            c.drawCircle(ix, ey, 0.0125, P((20, 18, 22)))
            c.drawCircle(ix - 0.0085, ey - 0.0085, 0.0065, P((255, 255, 255)))
            c.restore()
        c.drawPath(
            path(
                [
                    (ex - ew * 1.1, ey + 0.004 - 0.0 * eh),
                    (ex - ew * 0.5, ey - eh * 1.25),
                    (ex + ew * 0.5, ey - eh * 1.25),
                    (ex + ew * 1.1, ey + 0.004),
                ],
                False,
            ),
            P(ink, 255, 0, 0.009),
        )
        by = ey - 0.062 - 0.008 * smile
        bt = a["brow"] * 0.008 * sgn
        c.drawPath(
            path([(ex - ew * 1.15, by + 0.008 + bt), (ex, by - 0.008), (ex + ew * 1.15, by + 0.008 - bt)], False),
            P(mix(hd, ink, 0.3), 255, 0, 0.013),
        )
        if a["glasses"]:
            c.drawCircle(ex, ey + 0.004, 0.06 * (f**0.5), P((40, 40, 44), 255, 0, 0.008))
    if a["glasses"]:
        c.drawLine(mx - ed + 0.051, fy + fh * 0.02, mx + ed - 0.051, fy + fh * 0.02, P((40, 40, 44), 255, 0, 0.007))
    nx = mx + yaw * 0.03
    nl = 0.05 * a["nose"]
    c.drawPath(
        path(
            [
                (nx - 0.004 + yaw * 0.008, fy + 0.03),
                (nx + 0.014 * (1 if yaw >= 0 else -1) + yaw * 0.012, fy + 0.03 + nl),
                (nx + yaw * 0.008, fy + 0.045 + nl),
                (nx - 0.014 * (1 if yaw >= 0 else -1), fy + 0.04 + nl),
            ],
            False,
        ),
        P(mix(sd, ink, 0.25), 255, 0, 0.008),
    )
    mw, my = 0.052 * a["mouth"] * (1 + 0.28 * smile) * (1 - 0.18 * abs(yaw)), fy + fh * 0.64
    lip = mix((176, 62, 66), skin, 0.25) if not sk else ink
    up = 0.004 - 0.018 * smile
    dn = 0.004 + 0.02 * smile
    mp = path(
        [
            (mx - mw, my + up),
            (mx - mw * 0.5, my + dn * 0.6),
            (mx, my + dn),
            (mx + mw * 0.5, my + dn * 0.6),
            (mx + mw, my + up),
        ],
        False,
    )
    if smile > 0.5 and not sk:
        teeth = path(
            [
                (mx - mw * 0.86, my + up * 0.5),
                (mx, my + dn * 0.35),
                (mx + mw * 0.86, my + up * 0.5),
                (mx + mw * 0.5, my + dn * 1.2 * smile),
                (mx, my + dn * 1.75 * smile),
                (mx - mw * 0.5, my + dn * 1.2 * smile),
            ]
        )
        c.drawPath(teeth, P(mix(skin, (255, 252, 248), (smile - 0.5) * 1.9)))
    c.drawPath(mp, P(lip, 255, 0, 0.0125))
    # hair in front
    top_y = fy - fh * 1.32
    if style == "short":
        hp = [
            (fx - fw * 1.08, fy - fh * 0.1),
            (fx - fw * 1.2, fy - fh * 0.75),
            (fx - fw * 0.75 + wind(1), top_y),
            (fx + fw * 0.2 + wind(1.4), top_y - 0.02),
            (fx + fw * 0.95 + wind(2), fy - fh * 1.1),
            (fx + fw * 1.16, fy - fh * 0.5),
            (fx + fw * 1.06, fy - fh * 0.05),
            (fx + fw * 0.92, fy - fh * 0.5),
            (fx + fw * 0.35 + yaw * 0.03, fy - fh * 0.66),
            (fx - fw * 0.4 + yaw * 0.03, fy - fh * 0.58),
            (fx - fw * 0.92, fy - fh * 0.5),
        ]
    elif style == "curly":
        hp = []
        for i in range(15):
            th = math.pi * (1.02 + 0.96 * i / 14)
            rr = 1.28 + 0.09 * math.sin(i * 2.9 + 1)
            hp.append(
                (fx + fw * rr * 1.02 * math.cos(th) + wind(i * 0.6) * 0.7, fy - fh * 0.18 + fh * rr * math.sin(th))
            )
        hp += [
            (fx + fw * 1.02, fy + 0.0),
            (fx + fw * 0.8, fy - fh * 0.5),
            (fx + fw * 0.3 + yaw * 0.03, fy - fh * 0.62),
            (fx - fw * 0.3 + yaw * 0.03, fy - fh * 0.6),
            (fx - fw * 0.8, fy - fh * 0.48),
            (fx - fw * 1.02, fy),
        ]
    else:
        px = fx + fw * 0.25 + yaw * 0.045
        hp = [
            (fx - fw * 1.12 + wind(0.3) * 0.8, fy + fh * 0.25),
            (fx - fw * 1.26 + wind(0.2) * 0.4, fy - fh * 0.45),
            (fx - fw * 0.95, fy - fh * 1.18),
            (fx - fw * 0.1, top_y - 0.012),
            (fx + fw * 0.85, fy - fh * 1.2),
            (fx + fw * 1.24 + wind(0.9) * 0.4, fy - fh * 0.45),
            (fx + fw * 1.12 + wind(1.0) * 0.8, fy + fh * 0.25),
            (fx + fw * 0.9, fy - fh * 0.3),
            (px + fw * 0.28, fy - fh * 0.72),
            (px, fy - fh * 0.88),
            (px - fw * 0.6, fy - fh * 0.62),
            (fx - fw * 0.9, fy - fh * 0.25),
        ]
    pp = path(hp)
    c.drawPath(pp, P(hair))
    if soft:
        c.save()
        c.clipPath(pp, True)
        c.drawPath(
            path(
                [(fx - fw * 0.8, fy - fh * 0.75), (fx - fw * 0.2, fy - fh * 1.12), (fx + fw * 0.6, fy - fh * 1.02)],
                False,
            ),
            P(hl, 170, 0.012, 0.03),
        )
        c.restore()
    if sk:
        c.drawPath(pp, line())
        for i in range(5):
            q = -0.7 + 0.35 * i
            c.drawPath(
                path(
                    [
                        (fx + fw * q * 0.6, top_y + 0.05),
                        (fx + fw * q * 0.95, top_y + 0.1),
                        (fx + fw * q * 1.15, fy - fh * 0.6),
                    ],
                    False,
                ),
                line(0.006),
            )
    c.restore()
