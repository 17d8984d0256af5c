//! Makes the compression dictionary from synthetic mail, or measures what it gains on real mail.
//!
//! `cargo run -p yubin-engine --example train_dictionary -- train FILE` writes a dictionary of 32 KiB.
//! `cargo run -p yubin-engine --example train_dictionary -- measure FILE FOLDER` packs each file of a folder with and without it.
//!
//! A dictionary that was ever released is never changed: what it packed could not be unpacked any more. A better one becomes
//! `mail-2.dict`, with a codec number of its own.

#![allow(clippy::disallowed_methods, reason = "a tool reads its arguments")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a tool stops at the first surprise"
)]

const DICTIONARY_OCTETS: usize = 32 << 10;
const SAMPLES: u64 = 6_000;
const LEVEL: i32 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["train", file] => {
            let samples: Vec<Vec<u8>> = (0..SAMPLES).map(|n| Dice(n).mail()).collect();
            let dictionary = zstd::dict::from_samples(&samples, DICTIONARY_OCTETS).unwrap();
            println!("{} octets, BLAKE3 {}", dictionary.len(), blake3::hash(&dictionary).to_hex());
            std::fs::write(file, dictionary).unwrap();
        }
        ["measure", file, folder] => measure(&std::fs::read(file).unwrap(), folder),
        _ => panic!("train FILE, or measure FILE FOLDER"),
    }
}

fn measure(dictionary: &[u8], folder: &str) {
    let mut plain = zstd::bulk::Compressor::new(LEVEL).unwrap();
    let mut with = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary).unwrap();
    let mut sums = [[0usize; 4]; 2];
    for entry in std::fs::read_dir(folder).unwrap() {
        let mail = std::fs::read(entry.unwrap().path()).unwrap();
        let sum = &mut sums[usize::from(mail.len() > 16_384)];
        for (total, octets) in sum.iter_mut().zip([
            1,
            mail.len(),
            plain.compress(&mail).unwrap().len(),
            with.compress(&mail).unwrap().len(),
        ]) {
            *total += octets;
        }
    }
    for (name, [count, raw, plain, with]) in ["up to 16 KiB", "larger"].iter().zip(sums) {
        let ratio = |packed: usize| raw as f64 / packed.max(1) as f64;
        println!(
            "{name}: {count} mails, plain {:.2}x, with the dictionary {:.2}x",
            ratio(plain),
            ratio(with)
        );
    }
}

/// Repeatable choices: the state of a generator (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
    fn hex(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(b"0123456789abcdef"[self.below(16) as usize])).collect()
    }
    fn base64(&mut self, len: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..len).map(|_| char::from(LETTERS[self.below(64) as usize])).collect()
    }
    fn word(&mut self) -> String {
        const PARTS: &[&str] = &[
            "an", "ber", "co", "da", "el", "fi", "gor", "hal", "in", "ka", "lo", "mar", "no", "ra", "su",
            "to",
        ];
        (0..2 + self.below(3)).map(|_| self.one_of(PARTS)).collect()
    }
    fn host(&mut self) -> String {
        let top = self.one_of(&["com", "org", "net", "co.jp", "de", "fr", "ne.jp", "io", "co.uk", "example"]);
        format!("{}.{top}", self.word())
    }
    fn address(&mut self) -> String {
        let local = match self.below(4) {
            0 => self
                .one_of(&["info", "noreply", "no-reply", "support", "news", "billing", "notifications"])
                .to_owned(),
            1 => format!("{}.{}", self.word(), self.word()),
            _ => self.word(),
        };
        format!("{local}@{}", self.host())
    }
    fn ip(&mut self) -> String {
        if self.below(4) == 0 {
            return format!("2001:db8:{}:{}::{}", self.hex(4), self.hex(4), self.hex(3));
        }
        format!("{}.{}.{}.{}", 1 + self.below(223), self.below(256), self.below(256), self.below(256))
    }
    fn date(&mut self) -> String {
        format!(
            "{}, {} {} 20{} {:02}:{:02}:{:02} {}",
            self.one_of(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]),
            1 + self.below(31),
            self.one_of(&[
                "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
            ]),
            20 + self.below(12),
            self.below(24),
            self.below(60),
            self.below(60),
            self.one_of(&[
                "+0000",
                "+0000 (UTC)",
                "+0900",
                "+0900 (JST)",
                "-0700 (PDT)",
                "-0800",
                "+0200 (CEST)",
                "+0100",
                "-0500",
                "GMT"
            ]),
        )
    }

    fn mail(&mut self) -> Vec<u8> {
        let mut out = String::new();
        let envelope = self.address();
        if self.below(2) == 0 {
            out += &format!("Return-Path: <{envelope}>\r\nDelivered-To: {}\r\n", self.address());
        }
        for _ in 0..1 + self.below(4) {
            out += &self.received();
        }
        if self.below(2) == 0 {
            out += &self.authentication(&envelope);
        }
        if self.below(5) < 3 {
            out += &self.signature();
        }
        let (headers, body) = self.content();
        out += &self.common(&envelope);
        out += &headers;
        out += "\r\n";
        out += &body;
        out.into_bytes()
    }

    fn received(&mut self) -> String {
        let (from, by, ip, id, date) = (self.host(), self.host(), self.ip(), self.base64(12), self.date());
        let version = self.one_of(&["TLSv1.3", "TLSv1.2", "TLS1_3", "TLS1_2"]);
        let cipher = self.one_of(&[
            "TLS_AES_256_GCM_SHA384",
            "TLS_AES_128_GCM_SHA256",
            "TLS_CHACHA20_POLY1305_SHA256",
            "ECDHE-RSA-AES256-GCM-SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        ]);
        match self.below(6) {
            0 => format!(
                "Received: from mail.{from} (mail.{from} [{ip}])\r\n\t(using {version} with cipher {cipher} (256/256 bits)\r\n\t \
                 key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n\t(No client certificate requested)\r\n\t\
                 by mx.{by} (Postfix) with ESMTPS id {}\r\n\tfor <{}>; {date}\r\n",
                self.hex(11).to_uppercase(),
                self.address(),
            ),
            1 => format!(
                "Received: by 2002:a17:906:{}:b0:{}:{} with SMTP id {}csp{};\r\n        {date}\r\nX-Received: by 2002:a05:{} with SMTP id \
                 {};\r\n        {date}\r\n",
                self.hex(4),
                self.hex(3),
                self.hex(4),
                self.hex(12),
                self.below(9_999_999),
                self.hex(4),
                self.base64(20),
            ),
            2 => format!(
                "Received: from {from}.PROD.OUTLOOK.COM ({ip})\r\n by {by}.prod.outlook.com with Microsoft SMTP Server (version={version},\r\n \
                 cipher={cipher}) id 15.20.{}.{}; {date}\r\n",
                self.below(9000),
                self.below(40),
            ),
            3 => format!(
                "Received: from [{ip}] (helo={from})\r\n\tby mx.{by} with esmtps  ({version}) tls {cipher}\r\n\t(Exim 4.9{})\r\n\t(envelope-from \
                 <{}>)\r\n\tid {id}\r\n\tfor {}; {date}\r\n",
                self.below(10),
                self.address(),
                self.address(),
            ),
            4 => format!(
                "Received: from localhost (localhost [127.0.0.1])\r\n\tby {by} (Postfix) with ESMTP id {id}\r\n\tfor <{}>; {date}\r\n",
                self.address()
            ),
            _ => format!(
                "Received: from smtp.{from} ([{ip}])\r\n by {by} with ESMTPSA id {id} ({version}:{cipher}:256:NO)\r\n for <{}>; {date}\r\n",
                self.address()
            ),
        }
    }

    fn authentication(&mut self, envelope: &str) -> String {
        let (host, selector, domain, ip) = (self.host(), self.word(), self.host(), self.ip());
        let verdict = self.one_of(&["pass", "pass", "pass", "fail", "none", "neutral", "softfail"]);
        let results = format!(
            "mx.{host};\r\n       dkim=pass header.i=@{domain} header.s={selector} header.b={};\r\n       spf={verdict} (mx.{host}: domain of \
             {envelope} designates {ip} as permitted sender) smtp.mailfrom={envelope};\r\n       dmarc={verdict} (p=REJECT sp=REJECT dis=NONE) \
             header.from={domain}\r\n",
            self.base64(8),
        );
        match self.below(3) {
            0 => format!(
                "ARC-Seal: i=1; a=rsa-sha256; t={}; cv=none;\r\n        d={host}; s=arc-20240605;\r\n        b={}\r\nARC-Message-Signature: i=1; \
                 a=rsa-sha256; c=relaxed/relaxed; d={host}; s=arc-20240605;\r\n        \
                 h=to:from:subject:date:message-id:mime-version:dkim-signature;\r\n        bh={}=;\r\n        b={}\r\nARC-Authentication-Results: \
                 i=1; {results}",
                1_700_000_000 + self.below(99_999_999),
                self.base64(64),
                self.base64(43),
                self.base64(64),
            ),
            1 => format!(
                "Received-SPF: {verdict} (mx.{host}: domain of {envelope} designates {ip} as permitted sender) client-ip={ip};\r\n\
                 Authentication-Results: {results}"
            ),
            _ => format!("Authentication-Results: {results}"),
        }
    }

    fn signature(&mut self) -> String {
        let (domain, selector) = (self.host(), self.word());
        let canon = self.one_of(&["relaxed/relaxed", "relaxed/simple"]);
        let algorithm = self.one_of(&["rsa-sha256", "rsa-sha256", "ed25519-sha256"]);
        let headers = self.one_of(&[
            "From:To:Subject:Date:Message-ID:MIME-Version:Content-Type",
            "from:to:cc:subject:date:message-id:reply-to:list-unsubscribe:list-unsubscribe-post",
            "Date:From:Reply-To:To:Cc:Subject:References:In-Reply-To:From",
            "mime-version:from:date:message-id:subject:to:content-transfer-encoding",
        ]);
        format!(
            "DKIM-Signature: v=1; a={algorithm}; c={canon}; d={domain};\r\n\ts={selector}; t={}; x={};\r\n\th={headers};\r\n\tbh={}=;\r\n\tb={}\r\n\t \
             {}\r\n\t {}==\r\n",
            1_700_000_000 + self.below(99_999_999),
            1_700_000_000 + self.below(99_999_999),
            self.base64(43),
            self.base64(64),
            self.base64(72),
            self.base64(40),
        )
    }

    fn common(&mut self, envelope: &str) -> String {
        let names = &[
            "Anna Schmidt",
            "John Smith",
            "=?UTF-8?B?5bGx55Sw5aSq6YOO?=",
            "=?UTF-8?Q?Ren=C3=A9_Dupont?=",
            "\"Support Team\"",
            "=?ISO-2022-JP?B?GyRCOzNFREJATzobKEI=?=",
            "Maria Garcia",
            "Newsletter",
            "\"Customer Service\"",
        ];
        let subjects = &[
            "Re: Meeting on Monday",
            "Your order has been shipped",
            "Invoice",
            "Fwd: Report",
            "Please verify your email address",
            "[announce] New release",
            "Weekly newsletter",
            "Re: [PATCH v2] Fix the build",
            "Your receipt",
            "Password reset request",
            "=?UTF-8?B?44GK55+l44KJ44Gb?=",
            "=?UTF-8?Q?R=C3=A9union_de_lundi?=",
            "=?ISO-2022-JP?B?GyRCJCpDTiRpJDsbKEI=?=",
            "AW: Termin",
            "Undelivered Mail Returned to Sender",
            "Invitation: Project review",
            "Security alert",
        ];
        let mut out = format!(
            "Date: {}\r\nFrom: {} <{envelope}>\r\nTo: {} <{}>\r\nSubject: {} {}\r\nMessage-ID: <{}.{}@{}>\r\n",
            self.date(),
            self.one_of(names),
            self.one_of(names),
            self.address(),
            self.one_of(subjects),
            self.below(99_999),
            self.base64(16),
            self.below(999_999),
            self.host(),
        );
        for _ in 0..self.below(4) {
            out += &match self.below(12) {
                0 => format!("Cc: {} <{}>\r\n", self.one_of(names), self.address()),
                1 => format!("Reply-To: <{}>\r\n", self.address()),
                2 => format!(
                    "In-Reply-To: <{}@{}>\r\nReferences: <{}@{}>\r\n\t<{}@{}>\r\n",
                    self.hex(24),
                    self.host(),
                    self.hex(24),
                    self.host(),
                    self.hex(24),
                    self.host()
                ),
                3 => format!(
                    "List-Unsubscribe: <https://{0}/unsubscribe?u={1}>,\r\n\t<mailto:unsubscribe@{0}?subject=unsubscribe>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence: bulk\r\n",
                    self.host(),
                    self.hex(24)
                ),
                4 => format!(
                    "List-Id: <{0}>\r\nList-Archive: <https://lists.{0}/archives/>\r\nList-Post: <mailto:list@{0}>\r\nList-Help: <mailto:list-request@{0}?subject=help>\r\nList-Subscribe: <https://lists.{0}/listinfo>\r\n",
                    self.host()
                ),
                5 => self
                    .one_of(&[
                        "X-Mailer: Apple Mail (2.3731.700.6)\r\n",
                        "User-Agent: Mozilla Thunderbird\r\nContent-Language: en-US\r\n",
                        "X-Mailer: Microsoft Outlook 16.0\r\nThread-Index: Adkx\r\nContent-Language: ja\r\n",
                        "User-Agent: Mutt/2.2.9\r\n",
                        "X-Mailer: iPhone Mail (20F66)\r\n",
                    ])
                    .to_owned(),
                6 => format!(
                    "X-Spam-Status: No, score=-{}.{} required=5.0 tests=BAYES_00,DKIM_SIGNED,\r\n\tDKIM_VALID,DKIM_VALID_AU,HTML_MESSAGE,SPF_HELO_NONE,SPF_PASS\r\n\tautolearn=ham autolearn_force=no version=4.0.0\r\nX-Spam-Level: \r\n",
                    self.below(9),
                    self.below(10)
                ),
                7 => format!(
                    "X-MS-Exchange-Organization-SCL: -1\r\nX-MS-Has-Attach: \r\nX-Originating-IP: [{}]\r\nX-MS-TNEF-Correlator: \r\nX-OriginatorOrg: {}\r\n",
                    self.ip(),
                    self.host()
                ),
                8 => "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n".to_owned(),
                9 => format!(
                    "X-Google-DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n        d=1e100.net; s=20230601; t={};\r\n        h=cc:to:subject:message-id:date:from:in-reply-to:references\r\n         :mime-version:x-gm-message-state:from:to:cc:subject:date:message-id\r\n         :reply-to;\r\n        bh={}=;\r\nX-Gm-Message-State: {}\r\n",
                    self.below(1 << 31),
                    self.base64(43),
                    self.base64(60)
                ),
                10 => "Importance: normal\r\nX-Priority: 3\r\n".to_owned(),
                _ => format!(
                    "Feedback-ID: {}:{}:{}\r\nX-Report-Abuse: Please report abuse here: https://{}/abuse\r\n",
                    self.below(99_999),
                    self.word(),
                    self.word(),
                    self.host()
                ),
            };
        }
        out += "MIME-Version: 1.0\r\n";
        out
    }

    /// The content's own headers, and the content.
    fn content(&mut self) -> (String, String) {
        let boundary = match self.below(4) {
            0 => format!("----=_Part_{}_{}.{}", self.below(99_999), self.below(1 << 31), self.below(1 << 40)),
            1 => format!("000000000000{}", self.hex(16)),
            2 => format!("------------{}", self.base64(24)),
            _ => format!("_000_{}_", self.hex(32).to_uppercase()),
        };
        match self.below(7) {
            0..2 => {
                let how = self.one_of(&["7bit", "8bit", "quoted-printable"]);
                let charset = self.one_of(&["utf-8", "UTF-8", "us-ascii", "\"UTF-8\"; format=flowed"]);
                (
                    format!(
                        "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {how}\r\n"
                    ),
                    self.text(),
                )
            }
            2..5 => {
                let html = self.html();
                let body = format!(
                    "--{boundary}\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n\
                     --{boundary}\r\nContent-Type: text/html; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{html}\r\n\
                     --{boundary}--\r\n",
                    self.text(),
                );
                (format!("Content-Type: multipart/alternative;\r\n\tboundary=\"{boundary}\"\r\n"), body)
            }
            5 => {
                let name = self.word();
                let kind = self.one_of(&[
                    "application/pdf",
                    "image/png",
                    "image/jpeg",
                    "application/zip",
                    "application/octet-stream",
                    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                ]);
                let body = format!(
                    "This is a multi-part message in MIME format.\r\n--{boundary}\r\nContent-Type: text/plain; charset=UTF-8; \
                     format=flowed\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{}\r\n--{boundary}\r\nContent-Type: {kind};\r\n \
                     name=\"{name}.pdf\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n filename=\"{name}.pdf\"\r\n\
                     Content-ID: <{}@{}>\r\nX-Attachment-Id: f_{}\r\n\r\n{}\r\n{}\r\n--{boundary}--\r\n",
                    self.text(),
                    self.hex(16),
                    self.host(),
                    self.hex(8),
                    self.base64(76),
                    self.base64(76),
                );
                (format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n"), body)
            }
            _ => {
                let calendar = format!(
                    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//{}//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nDTSTART:20260{}0{}T090000Z\r\nDTEND:\
                     20260101T100000Z\r\nDTSTAMP:20260101T000000Z\r\nORGANIZER;CN={}:mailto:{}\r\nUID:{}\r\nATTENDEE;CUTYPE=INDIVIDUAL;ROLE=\
                     REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=\r\n TRUE;CN={};X-NUM-GUESTS=0:mailto:{}\r\nSEQUENCE:0\r\nSTATUS:CONFIRMED\r\n\
                     SUMMARY:Project review\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
                    self.word(),
                    self.below(9),
                    self.below(9),
                    self.word(),
                    self.address(),
                    self.hex(26),
                    self.word(),
                    self.address(),
                );
                ("Content-Type: text/calendar; charset=\"UTF-8\"; method=REQUEST\r\nContent-Transfer-Encoding: 7bit\r\n".into(), calendar)
            }
        }
    }

    fn text(&mut self) -> String {
        const LINES: &[&str] = &[
            "Hello,",
            "Hi all,",
            "Dear customer,",
            "Thank you for your order.",
            "Please find the report attached.",
            "Let me know if you have any questions.",
            "Best regards,",
            "Kind regards,",
            "Thanks,",
            "I would like to know whether we can meet next week.",
            "If you did not request this, you can safely ignore this email.",
            "This is an automatically generated message. Please do not reply.",
            "To unsubscribe from this list, click here:",
            "You are receiving this email because you signed up for our newsletter.",
            "-- ",
            "Sent from my iPhone",
            "_______________________________________________",
            "On the other hand, the meeting has been moved to Thursday.",
            "Could you please send me the invoice for the last month?",
            "Privacy Policy | Terms of Service | Contact us",
            "All rights reserved.",
            "Sehr geehrte Damen und Herren,",
            "vielen Dank für Ihre Nachricht.",
            "Mit freundlichen Grüßen",
            "Bonjour,",
            "Merci pour votre message.",
            "Cordialement,",
            "Hola,",
            "Gracias por su mensaje.",
            "Saludos cordiales,",
            "お世話になっております。",
            "よろしくお願いいたします。",
            "ご確認のほどよろしくお願い申し上げます。",
            "添付ファイルをご確認ください。",
            "ありがとうございます。",
            "このメールは自動送信されています。",
            "お問い合わせはこちらまでお願いいたします。",
            "Please click the link below to confirm your email address.",
            "The following changes have been made:",
            "We look forward to hearing from you.",
            "You can view the details of your account at any time.",
            "The delivery is expected within the next few days.",
        ];
        let mut out = String::new();
        for _ in 0..4 + self.below(14) {
            match self.below(8) {
                0 => {
                    out += &format!(
                        "https://www.{}/{}/{}?id={}\r\n",
                        self.host(),
                        self.word(),
                        self.word(),
                        self.hex(16)
                    )
                }
                1 => out += &format!("> {}\r\n", self.one_of(LINES)),
                2 => out += &format!("On {}, {} wrote:\r\n\r\n", self.date(), self.address()),
                3 => {
                    out += &format!(
                        "{} {} {}, {} {}.\r\n",
                        self.word(),
                        self.one_of(&["the", "of the", "and", "is", "for your"]),
                        self.word(),
                        self.one_of(&["with", "that", "from", "you will", "we have"]),
                        self.word()
                    )
                }
                _ => out += &format!("{}\r\n", self.one_of(LINES)),
            }
            if self.below(3) == 0 {
                out += "\r\n";
            }
        }
        out
    }

    fn html(&mut self) -> String {
        let mut out = String::from(self.one_of(&[
            "<!DOCTYPE html>\r\n<html lang=3D\"en\">\r\n<head>\r\n<meta charset=3D\"utf-8\">\r\n<meta name=3D\"viewport\" content=3D\"width=3Ddevice-width, initial-scale=\r\n=3D1\">\r\n<title></title>\r\n<style type=3D\"text/css\">\r\nbody { margin: 0; padding: 0; font-family: Arial, Helvetica, sans-serif; }\r\n@media only screen and (max-width: 600px) {\r\n.container { width: 100% !important; }\r\n}\r\n</style>\r\n</head>\r\n<body>\r\n",
            "<html xmlns:v=3D\"urn:schemas-microsoft-com:vml\" xmlns:o=3D\"urn:schemas-microsoft-com:office:office\" xmlns:w=3D\"urn:schemas-microsoft-com:office:word\">\r\n<head>\r\n<meta http-equiv=3D\"Content-Type\" content=3D\"text/html; charset=3Dutf-8\">\r\n</head>\r\n<body lang=3D\"EN-US\" link=3D\"#0563C1\" vlink=3D\"#954F72\">\r\n<div class=3D\"WordSection1\">\r\n",
            "<html><head><meta http-equiv=3D\"Content-Type\" content=3D\"text/html; charset=3DUTF-8\"></head><body>\r\n",
            "<div dir=3D\"ltr\">",
        ]));
        for _ in 0..3 + self.below(8) {
            let text = self.text().lines().next().unwrap_or_default().to_owned();
            out += &match self.below(8) {
                0 => format!(
                    "<table role=3D\"presentation\" width=3D\"100%\" border=3D\"0\" cellspacing=3D\"0\" cellpadding=3D\"0\" align=3D\"center\">\r\n<tbody><tr>\r\n<td align=3D\"center\" valign=3D\"top\" style=3D\"padding: 20px 0; font-size: 14px; line-height: 20px; color: #333333;\">{text}</td>\r\n</tr></tbody></table>\r\n"
                ),
                1 => format!(
                    "<a href=3D\"https://www.{}/{}?utm_source=3Dnewsletter&amp;utm_medium=3Demail&amp;utm_campaign=3D{}\" target=3D\"_blank\" style=3D\"color: #ffffff; text-decoration: none;\">{text}</a>\r\n",
                    self.host(),
                    self.word(),
                    self.word()
                ),
                2 => format!(
                    "<img src=3D\"https://{}/images/{}.png\" width=3D\"{}\" height=3D\"1\" alt=3D\"\" border=3D\"0\" style=3D\"display: block;\">\r\n",
                    self.host(),
                    self.word(),
                    self.below(600)
                ),
                3 => format!(
                    "<p class=3D\"MsoNormal\"><span style=3D\"font-size:11.0pt;font-family:&quot;Calibri&quot;,sans-serif\">{text}<o:p></o:p></span></p>\r\n"
                ),
                4 => format!(
                    "<div class=3D\"gmail_quote\"><div dir=3D\"ltr\" class=3D\"gmail_attr\">On {} &lt;<a href=3D\"mailto:{1}\">{1}</a>&gt; wrote:<br></div><blockquote class=3D\"gmail_quote\" style=3D\"margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex\">{text}</blockquote></div>\r\n",
                    self.date(),
                    self.address()
                ),
                5 => format!(
                    "<tr><td style=3D\"font-family: Arial, Helvetica, sans-serif; font-size: 16px; font-weight: bold; background-color: #f4f4f4; text-align: left;\">{text}&nbsp;</td></tr>\r\n"
                ),
                6 => format!("<p>{text}</p>\r\n"),
                _ => format!("<div>{text}<br></div>\r\n"),
            };
        }
        out + "</body>\r\n</html>\r\n"
    }
}
