# SPDX-License-Identifier: GPL-2.0-or-later
"""The XML of the object store: bodies in, bodies out."""

import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

from .errors import ApiError
from .wire import Response

NAMESPACE = {'obs': 'http://obs.myhwclouds.com/doc/2015-06-30/',
             'aws': 'http://s3.amazonaws.com/doc/2006-03-01/'}


def xml_answer(request, name, inner, headers=()):
    text = ('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            '<%s xmlns="%s">%s</%s>'
            % (name, NAMESPACE[request.dialect], inner, name))
    return Response(200, headers, text, 'application/xml')


def element(name, value):
    return '<%s>%s</%s>' % (name, escape(str(value)), name)


def etag_element(request, etag):
    """<ETag>, its quotes as each of the two services writes them."""
    quote = '&quot;' if request.dialect == 'aws' else '"'
    return '<ETag>%s%s%s</ETag>' % (quote, etag, quote)


def parse_xml(body):
    """The root of a body, all names without namespace."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise ApiError('MalformedXML')
    for node in root.iter():
        node.tag = node.tag.rpartition('}')[2]
    return root
